// Writes tests/vectors/formula/cases.jsonl: seeded random templates with the vendor's answers.
//   node generate_formula_cases.mjs > ../vectors/formula/cases.jsonl
// Left out: what our loader refuses (a $name where the engine takes none), where the engine throws, and where it compares two objects by
// identity, which a formula cannot mean.
import { answer } from './formula_oracle.mjs'

const COUNT = 10000

let state = 20250721
function random() {
  // mulberry32
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
const pick = (list) => list[Math.floor(random() * list.length)]
const chance = (p) => random() < p
const times = (most, make) => Array.from({ length: Math.floor(random() * (most + 1)) }, make)

const variables = {
  credentials: { token: 't0k', key: '', secret: 'a$&b$1$$c', n: 5, none: null, yes: true, no: false, expiry: '3600s' },
  list: [{ c: 1, d: 'one' }, 0, '', null, 'x', false, { c: 'Two', e: [1, 2] }],
  numbers: [3, 1.5, 1e21, 1e-7, -0.25, 12345678901],
  words: ['pro', 'Team', 'é', 'pro'],
  empty: { object: {}, list: [], text: '', blank: ' ' },
  'd.ot': { 'b[r]': 'escaped', 'back\\slash': 2 },
  '': 'nameless',
  a: '1',
  b: 'see {a} and {b}',
  host: 'Example.COM',
}
const LOCATORS = [
  '$', 'a', 'b', 'host', '$.a', 'credentials', 'credentials.token', '$.credentials.token', 'credentials.key',
  'credentials.secret', 'credentials.n', 'credentials.none', 'credentials.yes', 'credentials.no', 'credentials.expiry',
  'credentials.none.x', 'credentials.token.length', 'credentials.token[0]', 'list', 'list[0].c', 'list[1]', 'list[2]',
  'list[3]', 'list[4]', 'list[5]', 'list.1', 'list.2', 'list.3', 'list.5', 'list.01', 'list.length', 'list[]', 'list[ 6 ].e[1]',
  'list[0x0].d', 'list[1e0]', 'list[0.5]', 'list[99]', 'list[6].e', 'list.c', 'numbers', 'numbers[2]', 'numbers[3]', 'words',
  'words[2]', 'empty.object', 'empty.list', 'empty.text', 'empty.blank', 'd\\.ot.b\\[r\\]', 'd\\.ot.back\\\\slash', '$.',
  'missing', 'missing.deeper', '', '$foo', 'list[', 'list[-1]', 'list[0]x', 'list[x]', '$$', 'a.', '.a', 'a..b', 'a\\',
]
const SCALARS = [
  null, true, false, 0, 1, -1, 5, 1.5, 1e21, 1e-7, 3600, '', ' ', '0', '1', '5', ' 5 ', '0x10', '1e3', 'true', 'null', 'pro',
  'PRO', 'x', 't0k', 'a,b', 'undefined', '10abc', '.5', '-', 'Infinity', '[object Object]', 'é', 'É', '$&', '{a}',
]
const OPERATORS = [
  'is', 'isNot', 'oneOf', 'noneOf', 'contains', 'doesNotContain', 'lt', 'lte', 'gt', 'gte', 'isEmpty', 'isNotEmpty', 'unknown',
]
const FILTERS = [
  'is', 'is_not', 'is_one_of', 'is_not_one_of', 'is_true', 'is_false', 'contains', 'does_not_contain', 'array_includes',
  'array_does_not_include', 'less_than', 'less_than_or_equal', 'more_than', 'more_than_or_equal', 'is_empty',
  'is_not_empty', 'unknown',
]

const variable = () => ({ $var: pick(LOCATORS) })
const scalar = () => pick(SCALARS)
const plainList = () => times(3, scalar)

function data(depth) {
  if (depth <= 0 || chance(0.3)) return scalar()
  if (chance(0.5)) return times(3, () => value(depth - 1))
  return Object.fromEntries(times(3, () => [pick(['k', 'l', 'm', 'values', 'n']), value(depth - 1)]))
}

function value(depth) {
  if (depth <= 0) return chance(0.6) ? variable() : scalar()
  return chance(0.25) ? data(depth) : chance(0.3) ? variable() : formula(depth - 1)
}

const items = (depth) => (chance(0.85) ? times(4, () => value(depth)) : value(depth))

function condition() {
  const made = { field: pick(LOCATORS.filter((l) => !/^\$\$|\$foo|\[$|-1|x$|\[x/.test(l))), operator: pick(FILTERS) }
  if (chance(0.9)) made.value = chance(0.7) ? scalar() : plainList()
  return made
}

function oneCase(depth) {
  if (chance(0.05)) return pick([null, 'text', [], 5])
  const made = {}
  const kind = random()
  if (kind < 0.5) made.filter = value(depth)
  else if (kind < 0.8) made.filter = times(2, condition)
  if (chance(0.95)) made.value = value(depth)
  return made
}

function pair(depth) {
  const made = {}
  if (chance(0.95)) made.from = value(depth)
  if (chance(0.95)) made.to = value(depth)
  return made
}

const FORMULAS = {
  var: () => ({ $var: chance(0.97) ? pick(LOCATORS) : pick([null, 0, 5, true, { a: 1 }]) }),
  concat: (depth) => {
    if (chance(0.6)) return { $concat: items(depth) }
    const args = { values: items(depth) }
    if (chance(0.7)) args.delimiter = chance(0.6) ? pick([',', ' ', '', null, 0]) : value(depth)
    return { $concat: args }
  },
  tpl: (depth) => {
    const args = {}
    if (chance(0.95)) args.template = chance(0.95) ? pick(['{a}', '{a}{b} {a}', 'x{a.b}y{a-b}', '{b}/{c}', '', 'no', '{}', '{a|b}']) : scalar()
    if (chance(0.95)) args.values = Object.fromEntries(times(3, () => [pick(['a', 'b', 'c', 'a.b', '(a)|b', 'b?']), value(depth)]))
    return { $tpl: args }
  },
  eval: (depth) => {
    const made = { $eval: value(depth) }
    if (chance(0.95)) made[pick(OPERATORS)] = chance(0.5) ? scalar() : chance(0.4) ? plainList() : value(depth)
    return made
  },
  and: (depth) => ({ $and: items(depth) }),
  or: (depth) => ({ $or: items(depth) }),
  case: (depth) => {
    const cases = times(3, () => oneCase(depth))
    if (chance(0.2)) return { $case: cases }
    const args = chance(0.95) ? { cases } : { cases: scalar() }
    if (chance(0.6)) args.default = value(depth)
    return { $case: args }
  },
  map: (depth) => {
    const args = { value: value(depth), [chance(0.95) ? 'mapping' : 'mappings']: times(3, () => pair(depth)) }
    if (chance(0.6)) args.default = value(depth)
    return { $map: args }
  },
  mergeObjects: (depth) => ({ $mergeObjects: chance(0.8) ? times(3, () => data(depth)) : items(depth) }),
  firstNotEmpty: (depth) => ({ $firstNotEmpty: items(depth) }),
  plain: (depth) => ({ $plain: value(depth) }),
  iterate: (depth) => {
    const args = {}
    if (chance(0.95)) args.source = chance(0.6) ? { $var: pick(['list', 'numbers', 'words', 'empty.list', 'list[6].e', 'parent.words']) } : items(depth)
    if (chance(0.95)) args.item = chance(0.4) ? { $var: pick(['item', 'index', 'parent.a', 'item.c', '$.item', 'parent.parent.a']) } : value(depth)
    return { $iterate: args }
  },
  domainFromEmail: (depth) => ({ $domainFromEmail: chance(0.7) ? pick(['a@b.example', 'a@b@c', 'none', '@', 'é@É.example', '', ' @ ']) : value(depth) }),
  record: () => ({ $record: pick([{ id: 'r1' }, { id: 5 }, { id: null }, {}, { name: 'n' }]) }),
  formula: (depth) => ({ $formula: value(depth) }),
}
const NAMES = Object.keys(FORMULAS)
const formula = (depth) => FORMULAS[pick(NAMES)](depth)

// Objects that the engine would compare by identity make the comparison differ, by design.
function comparesObjects(template) {
  let compared = false
  const isObject = (x) => typeof x === 'object' && x !== null
  const built = (x) => (x === undefined ? undefined : answer({ template: x, variables }).result)
  const walk = (node) => {
    if (!isObject(node)) return
    if ('$eval' in node || '$map' in node) {
      const left = built('$eval' in node ? node.$eval : node.$map?.value)
      if (isObject(left)) compared = true
    }
    Object.values(node).forEach(walk)
  }
  walk(template)
  return compared && /"\$var"/.test(JSON.stringify(template))
}

const seen = new Set()
for (let made = 0; made < COUNT; ) {
  const template = formula(pick([0, 1, 1, 2, 2, 3]))
  const text = JSON.stringify(template)
  if (text.length > 400 || seen.has(text) || /"\$concat":\{"\$/.test(text)) continue
  const { result, throws } = answer({ template, variables })
  if (throws || comparesObjects(template)) continue
  if (JSON.stringify(result)?.length > 600) continue
  seen.add(text)
  if (made === 0) console.log(JSON.stringify({ variables }))
  console.log(JSON.stringify({ template, result }))
  made += 1
}

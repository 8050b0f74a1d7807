// What keeps a page from being read by everybody: too little contrast (WCAG 2.2, 1.4.3 and 1.4.11), no title or language, headings
// that skip a level, a page wider than the screen.

/** What is wrong with the page as it is shown now. */
export const flaws = (page) => page.evaluate(() => {
  const found = [];
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const isClear = (color) => channels(color)[3] === 0;
  const style = (element, part) => getComputedStyle(element, part);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) if (!isClear(style(at).backgroundColor)) return style(at).backgroundColor;
    return 'rgb(255, 255, 255)';
  };
  const need = (least, color, back, what) => {
    const ratio = contrast(color, back);
    if (ratio < least) found.push(`contrast ${ratio.toFixed(2)} of ${what}, ${color} on ${back}`);
  };
  const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { parentElement: element, data } = texts.currentNode;
    if (data.trim() && element.checkVisibility()) need(4.5, style(element).color, behind(element), `"${data.trim().slice(0, 30)}"`);
  }
  for (const element of document.querySelectorAll('.steps > li')) {
    const { content, color, backgroundColor, borderTopColor } = style(element, '::before');
    if (!isClear(backgroundColor)) need(4.5, color, backgroundColor, `the mark ${content}`);
    need(3, borderTopColor, behind(element), 'a mark');
  }
  for (const element of document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a.button')) {
    if (!element.checkVisibility() || element.matches('.plain, [type=checkbox]')) continue;
    need(3, style(element).borderTopColor, behind(element.parentElement), `the edge of ${element.name || element.innerText}`);
  }
  if (!document.title) found.push('no title');
  if (!document.documentElement.lang) found.push('no language');
  const levels = [...document.querySelectorAll('h1, h2, h3')].map((heading) => Number(heading.tagName[1]));
  if (levels.some((level, place) => level > (levels[place - 1] ?? 0) + 1) || levels.filter((level) => level === 1).length !== 1) found.push(`headings ${levels}`);
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) found.push(`${scrollWidth} wide on a screen of ${clientWidth}`);
  return found;
});

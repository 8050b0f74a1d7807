// The quickest API that Node can be: no HTTP parser, the same answer to every request without a body.
import net from 'node:net';

const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok');
const server = net.createServer({ noDelay: true }, (socket) => {
  let rest = '';
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  socket.on('data', (data) => {
    const heads = (rest + data).split('\r\n\r\n');
    rest = heads.pop();
    if (heads.length === 1) socket.write(answer);
    else if (heads.length > 1) socket.write(Buffer.concat(heads.map(() => answer)));
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => console.log(server.address().port));
// It ends with the test that started it.
process.stdin.resume().on('end', () => process.exit());

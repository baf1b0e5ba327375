/** A server that says what a directory's two connections wait for, and is empty otherwise. */
import { type Server, type Socket, createServer } from 'node:net';

/** @param subscribed is given each connection that has subscribed to a channel */
export function redisServer(subscribed: (socket: Socket) => void): Server {
  return createServer((socket) => {
    let feed = false;
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const commands = /(?<=\r\n)(ID|TRACKING|MGET|subscribe|ping)(?=\r\n)/gi;
      for (const [command] of bytes.toString().matchAll(commands)) {
        if (/id/i.test(command)) socket.write(':7\r\n');
        else if (/tracking/i.test(command)) socket.write('+OK\r\n');
        else if (/mget/i.test(command)) socket.write('*1\r\n$-1\r\n');
        else if (/ping/i.test(command)) socket.write(feed ? '*2\r\n$4\r\npong\r\n$0\r\n\r\n' : '+PONG\r\n');
        else {
          feed = true;
          socket.write('*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n');
          subscribed(socket);
        }
      }
    });
  });
}

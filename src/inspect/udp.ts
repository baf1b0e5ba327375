/** Probes whether a socket receives on a UDP port. */
import { inside } from './inside.ts';

/** Sends one empty datagram, which VXLAN drops as too short, and waits for an ICMP port unreachable. */
const PROGRAM = `
const [ip, port] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(ip.includes(':') ? 'udp6' : 'udp4');
const end = (word) => { console.log(word); process.exit(0); };
socket.on('error', (error) => end(error.code));
socket.connect(Number(port), ip, () => socket.send(''));
setTimeout(() => end('silent'), 300);`;

/** True after an ICMP port unreachable; false without an answer. */
export async function isRefused(path: string | null, ip: string, port: number): Promise<boolean> {
  try {
    const { stdout } = await inside(path, [process.execPath, '-e', PROGRAM, ip, String(port)]);
    return stdout.trim() === 'ECONNREFUSED';
  } catch {
    return false;
  }
}

/**
 * Many connections on which nothing happens, in a process of their own: each end of a connection takes a file
 * descriptor. `node idle-clients.js PORT COUNT keepalive|connect|tls`; says `open N` when they stand, ends with its stdin.
 */
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const [port, count, mode] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
/** Fewer than the backlog of a listening socket. */
const AT_ONCE = 200;
const TARGET = 'registry-1.docker.io:443';
const REQUEST =
  mode !== 'keepalive'
    ? `CONNECT ${TARGET} HTTP/1.1\r\nHost: ${TARGET}\r\n\r\n`
    : 'GET /v2/library/app/manifests/signed HTTP/1.1\r\nHost: localhost\r\n\r\n';

let started = 0;
let open = 0;

function startOne() {
  if (started === count) return;
  started += 1;
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    open -= 1;
  });
  socket.once('data', () => {
    if (mode === 'tls') {
      const options = { socket, servername: 'registry-1.docker.io', rejectUnauthorized: false };
      connectTls(options, countOne).on('error', () => socket.destroy());
    } else countOne();
  });
  socket.write(REQUEST);
}

function countOne() {
  open += 1;
  if (open === count) process.stdout.write(`open ${open}\n`);
  startOne();
}

for (let at = 0; at < AT_ONCE; at += 1) startOne();
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

/**
 * A ClientHello inside a tunnel that comes byte by byte and never ends. What is held of it is bounded in bytes, and each
 * piece of it costs a few hundred more: no more than a few pieces may be kept apart.
 */
import { PassThrough } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { readFirstFlight } from '../../proxy/listen/first-flight.ts';
import { createLaterHellos } from '../../proxy/listen/later-hellos.ts';

const MIB = 1024 * 1024;
const TUNNELS = 8;
const BYTES = 16_000;
/** The head of a record of 16 KiB, in which a ClientHello of 32 KiB begins. */
const HEAD = Buffer.from([22, 3, 1, 0x3f, 0xff, 1, 0, 0x7f, 0]);

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** In bytes, with what only waits to be freed taken off: some of it is only after the loop has turned. */
async function heldNow(): Promise<number> {
  const seen: number[] = [];
  for (let look = 0; look < 4; look += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    seen.push(heapUsed + arrayBuffers);
  }
  return Math.min(...seen);
}

/** As a socket gives it: memory of its own. */
const nextByte = (): Buffer => Buffer.from(new ArrayBuffer(1));

test('as the second one', async () => {
  const hellos = Array.from({ length: TUNNELS }, () => createLaterHellos(() => undefined));
  const before = await heldNow();
  for (const { fromClient } of hellos) {
    fromClient(HEAD);
    for (let at = 0; at < BYTES; at += 1) fromClient(nextByte());
  }
  expect((await heldNow()) - before).toBeLessThan(16 * MIB);
  expect(hellos.map(({ fromClient }) => fromClient(nextByte()))).toHaveLength(TUNNELS);
});

test('as the first one', async () => {
  const clients = Array.from({ length: TUNNELS }, () => new PassThrough());
  const flights = clients.map((client) => readFirstFlight(client as never, 60_000));
  const before = await heldNow();
  for (const client of clients) {
    client.emit('data', HEAD);
    for (let at = 0; at < BYTES; at += 1) client.emit('data', nextByte());
  }
  expect((await heldNow()) - before).toBeLessThan(16 * MIB);
  for (const client of clients) client.destroy();
  for (const { bytes } of await Promise.all(flights)) expect(bytes).toHaveLength(HEAD.length + BYTES);
});

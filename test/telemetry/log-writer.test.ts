/** A log whose reader hangs: bounded, counted, said when it is back. */
import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { createBoundedWriter } from '../../proxy/telemetry/log-writer.ts';

/** A reader that takes what it is given when it is told to. */
function slowReader() {
  const taken: string[] = [];
  let release: (() => void) | undefined;
  const to = new Writable({
    decodeStrings: false,
    write: (text: string, _encoding, done) => {
      taken.push(text);
      release = done;
    },
  });
  const next = async (): Promise<void> => {
    const done = release;
    release = undefined;
    done?.();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  };
  return { to, taken, next };
}

describe('a bounded writer', () => {
  test('sends the lines of one turn together', async () => {
    const { to, taken, next } = slowReader();
    const writer = createBoundedWriter(to);
    writer.write('a\n');
    writer.write('b\n');
    await next();
    expect(taken).toEqual(['a\nb\n']);
  });

  test('drops what is more than its bound in bytes, counts it, and says so once when the reader is back', async () => {
    const { to, taken, next } = slowReader();
    let dropped = 0;
    const back: number[] = [];
    const writer = createBoundedWriter(to, {
      maxBytes: 20,
      onDropped: () => {
        dropped += 1;
      },
      onBack: (lines) => back.push(lines),
    });
    writer.write('ééééé\n'); // 11 bytes
    await next();
    for (let at = 0; at < 5; at += 1) writer.write('12345678\n');
    expect(dropped).toBe(4);
    await next();
    await next();
    await next();
    expect(back).toEqual([4]);
    writer.write('last\n');
    await next();
    await next();
    expect(taken.join('')).toBe('ééééé\n12345678\nlast\n');
  });

  test('a reader that is gone fails nobody', async () => {
    const { to } = slowReader();
    const writer = createBoundedWriter(to);
    to.destroy(new Error('EPIPE'));
    await new Promise(setImmediate);
    writer.write('a\n');
    await writer.flush(1000);
  });

  test('flush waits for the reader, but not for ever', async () => {
    const { to, next } = slowReader();
    const writer = createBoundedWriter(to);
    writer.write('a\n');
    await next();
    await writer.flush(20);
    const flushed = writer.flush(60_000);
    await next();
    await flushed;
  });
});

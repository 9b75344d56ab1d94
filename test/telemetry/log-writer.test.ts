/** A log whose reader hangs: bounded, counted, said when it is back. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, write } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createBoundedWriter, createFileWriter, type WriteBytes } from '../../proxy/telemetry/log-writer.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

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

describe('a file', () => {
  function open(path: string): WriteBytes {
    const fd = openSync(path, 'a');
    undo.push(() => closeSync(fd));
    return (bytes, done) => write(fd, bytes, done);
  }

  /** Takes bytes, or fails with this code. */
  function simulated() {
    const disk = { text: '', fault: undefined as string | undefined, most: Number.POSITIVE_INFINITY };
    const writeBytes: WriteBytes = (bytes, done) =>
      setImmediate(() => {
        const { fault } = disk;
        if (fault !== undefined) {
          if (fault === 'EAGAIN') disk.fault = undefined;
          return done(Object.assign(new Error(fault), { code: fault }), 0);
        }
        const taken = bytes.subarray(0, disk.most);
        disk.text += Buffer.from(taken).toString('latin1');
        done(null, taken.length);
      });
    return { disk, writeBytes };
  }

  test('has every line in its order once it is flushed, so that the process may end', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pullwarden-log-'));
    undo.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'log');
    const writer = createFileWriter(open(path));
    const lines = Array.from({ length: 50 }, (_, at) => `${at} ${'x'.repeat(20_000)}\n`);
    for (const line of lines) {
      writer.write(line);
      if (line.startsWith('25 ')) await new Promise(setImmediate);
    }
    await writer.flush(60_000);
    expect(readFileSync(path, 'utf8')).toBe(lines.join(''));
  });

  test('that takes a few bytes at a time, or none for a moment, has them all', async () => {
    const { disk, writeBytes } = simulated();
    Object.assign(disk, { most: 3, fault: 'EAGAIN' });
    const writer = createFileWriter(writeBytes);
    writer.write('one line\n');
    writer.write('another\n');
    await writer.flush(60_000);
    expect(disk.text).toBe('one line\nanother\n');
  });

  test('on a full disk loses lines and counts them; nothing waits for it', async () => {
    let dropped = 0;
    const onDropped = () => {
      dropped += 1;
    };
    const writer = createFileWriter(open('/dev/full'), { onDropped });
    writer.write('a\n');
    writer.write('b\n');
    await writer.flush(60_000);
    writer.write('c\n');
    await writer.flush(60_000);
    expect(dropped).toBe(3);
  });

  test('says how many lines a full disk lost once it has room again, and not before', async () => {
    const { disk, writeBytes } = simulated();
    disk.fault = 'ENOSPC';
    const writer = createFileWriter(writeBytes, { onBack: (lines) => writer.write(`${lines} lost\n`) });
    for (const line of ['a\n', 'b\n']) {
      writer.write(line);
      await writer.flush(60_000);
    }
    disk.fault = undefined;
    writer.write('c\n');
    await writer.flush(60_000);
    expect(disk.text).toBe('c\n2 lost\n');
  });
});

/**
 * Writes log lines to standard output without ever waiting for its reader. If the reader hangs, at most `MAX_WAITING_BYTES`
 * are buffered; later lines are dropped and counted, and the log says so when the reader reads again.
 */
import { fstatSync, write } from 'node:fs';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';

/** Lines that wait for the reader, in bytes. */
export const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export type LogWriter = {
  write(line: string): void;
  /** Resolves when nothing waits any more, or after this long, in milliseconds. */
  flush(limitMs: number): Promise<void>;
};

export type LogWriterOptions = {
  readonly maxBytes?: number;
  /** A line had to be dropped. */
  readonly onDropped?: () => void;
  /** The reader takes lines again, after so many were dropped. */
  readonly onBack?: (dropped: number) => void;
};

/** A pipe is written without blocking; a file or a terminal in the thread pool, in the same bounds. */
export function createStdoutWriter(options: LogWriterOptions = {}): LogWriter {
  const stat = fstatSync(1);
  if (stat.isFIFO() || stat.isSocket())
    return createBoundedWriter(new Socket({ fd: 1, readable: false, writable: true }), options);
  return createFileWriter((bytes, done) => write(1, bytes, done), options);
}

/** Lines of one turn of the loop go out together. */
export function createBoundedWriter(to: Writable, options: LogWriterOptions = {}): LogWriter {
  return createWriter(to, options).writer;
}

type Losing = {
  readonly writer: LogWriter;
  /** So many lines that were taken could not be written. */
  readonly lose: (lines: number) => void;
};

function createWriter(
  to: Writable,
  { maxBytes = MAX_WAITING_BYTES, onDropped, onBack }: LogWriterOptions,
): Losing {
  let batch: string[] = [];
  let batchBytes = 0;
  let dropped = 0;
  let isFailing = false;
  const idle = new Set<() => void>();
  // A reader that is gone takes no line any more, and no pull fails because of it.
  to.on('error', () => undefined);
  const drop = (lines: number): void => {
    dropped += lines;
    for (let line = 0; line < lines; line += 1) onDropped?.();
  };
  const onWritten = (): void => {
    if (to.writableLength > 0 || to.destroyed) return;
    // What could not take these lines would not take one about them either.
    const count = isFailing ? 0 : dropped;
    dropped -= count;
    isFailing = false;
    if (count > 0) onBack?.(count);
    if (batch.length > 0) return;
    for (const resolve of idle) resolve();
    idle.clear();
  };
  const send = (): void => {
    const text = batch.join('');
    batch = [];
    batchBytes = 0;
    to.write(text, onWritten);
  };
  const writer: LogWriter = {
    write(line) {
      const bytes = Buffer.byteLength(line);
      if (to.destroyed || to.writableLength + batchBytes + bytes > maxBytes) return drop(1);
      if (batch.push(line) === 1) setImmediate(send);
      batchBytes += bytes;
    },
    flush: (limitMs) =>
      new Promise((resolve) => {
        if (to.destroyed || (batch.length === 0 && to.writableLength === 0)) return resolve();
        const late = setTimeout(resolve, limitMs);
        idle.add(() => {
          clearTimeout(late);
          resolve();
        });
      }),
  };
  const lose = (lines: number): void => {
    isFailing = true;
    drop(lines);
  };
  return { writer, lose };
}

/** As `fs.write` of one file: it may take less than it is given. */
export type WriteBytes = (
  bytes: Uint8Array,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

/** How long a terminal that takes nothing now is left alone, in milliseconds. */
const RETRY_MS = 100;
const LINE_END = 0x0a;

/**
 * One piece after the other, so that lines keep their order whoever ends the process once they are flushed. What a full
 * disk does not take is lost and counted; the next lines are tried again.
 */
export function createFileWriter(writeBytes: WriteBytes, options: LogWriterOptions = {}): LogWriter {
  const to = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      writeAll(writeBytes, chunk, (rest) => {
        if (rest.length > 0) lose(countLines(rest));
        done();
      });
    },
  });
  const { writer, lose } = createWriter(to, options);
  return writer;
}

/** @param done is told what could not be written. */
function writeAll(writeBytes: WriteBytes, bytes: Uint8Array, done: (rest: Uint8Array) => void): void {
  writeBytes(bytes, (error, written) => {
    const rest = bytes.subarray(error === null ? written : 0);
    if (error?.code === 'EAGAIN') setTimeout(writeAll, RETRY_MS, writeBytes, rest, done);
    else if (error !== null || rest.length === 0) done(rest);
    else writeAll(writeBytes, rest, done);
  });
}

function countLines(bytes: Uint8Array): number {
  return bytes.reduce((lines, byte) => (byte === LINE_END ? lines + 1 : lines), 0);
}

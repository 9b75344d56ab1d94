/**
 * Where log lines go: standard output, without ever waiting for its reader. A reader that hangs costs at most
 * `MAX_WAITING_BYTES`; what comes after that is dropped and counted, and said when the reader is back.
 */
import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { destination } from 'pino';

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
  return createFileWriter(options);
}

/** Lines of one turn of the loop go out together. */
export function createBoundedWriter(
  to: Writable,
  { maxBytes = MAX_WAITING_BYTES, onDropped, onBack }: LogWriterOptions = {},
): LogWriter {
  let batch: string[] = [];
  let batchBytes = 0;
  let dropped = 0;
  const idle = new Set<() => void>();
  // A reader that is gone takes no line any more, and no pull fails because of it.
  to.on('error', () => undefined);
  const onWritten = (): void => {
    if (to.writableLength > 0 || to.destroyed) return;
    const count = dropped;
    dropped = 0;
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
  return {
    write(line) {
      const bytes = Buffer.byteLength(line);
      if (to.destroyed || to.writableLength + batchBytes + bytes > maxBytes) {
        dropped += 1;
        onDropped?.();
        return;
      }
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
}

function createFileWriter({ maxBytes = MAX_WAITING_BYTES, onDropped, onBack }: LogWriterOptions): LogWriter {
  const to = destination({ dest: 1, sync: false, maxLength: maxBytes });
  let dropped = 0;
  to.on('error', () => undefined);
  to.on('drop', () => {
    dropped += 1;
    onDropped?.();
  });
  to.on('drain', () => {
    const count = dropped;
    dropped = 0;
    if (count > 0) onBack?.(count);
  });
  return {
    write: (line) => void to.write(line),
    flush: (limitMs) =>
      new Promise((resolve) => {
        const late = setTimeout(resolve, limitMs);
        to.flush(() => {
          clearTimeout(late);
          resolve();
        });
      }),
  };
}

/** Reads a file without trusting its size. */
import { createReadStream } from 'node:fs';

/** A configuration file, and each file it names, in bytes. */
export const MAX_FILE_BYTES = 1024 * 1024;

class TooLargeError extends Error {}

/**
 * The whole content of a file, a pipe included.
 *
 * @throws when the file cannot be read or is longer than `maxBytes`; `readFault` explains the error.
 */
export async function readBounded(file: string, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // Reads one byte more than allowed, to notice a longer file.
  for await (const chunk of createReadStream(file, { end: maxBytes })) chunks.push(chunk as Buffer);
  const content = Buffer.concat(chunks);
  if (content.length > maxBytes) throw new TooLargeError(`longer than ${maxBytes} bytes`);
  return content;
}

export type ReadFault = {
  readonly kind: 'missing' | 'folder' | 'unreadable' | 'too_long';
  /** In a few words. */
  readonly why: string;
};

const FAULTS: ReadonlyMap<string, ReadFault> = new Map<string, ReadFault>([
  ['ENOENT', { kind: 'missing', why: 'there is no such file' }],
  ['ENOTDIR', { kind: 'missing', why: 'there is no such file' }],
  ['EISDIR', { kind: 'folder', why: 'it is a folder' }],
  ['EACCES', { kind: 'unreadable', why: 'permission denied' }],
  ['EPERM', { kind: 'unreadable', why: 'permission denied' }],
]);

/** Why a file could not be read. */
export function readFault(error: unknown): ReadFault {
  if (error instanceof TooLargeError) return { kind: 'too_long', why: error.message };
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  return FAULTS.get(code) ?? { kind: 'unreadable', why: code };
}

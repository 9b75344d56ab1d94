/** Reading a file that somebody named, without trusting its size. */
import { createReadStream } from 'node:fs';

/** A configuration file, and each file it names, in bytes. */
export const MAX_FILE_BYTES = 1024 * 1024;

class TooLargeError extends Error {}

/**
 * The whole content of a file, a pipe included.
 *
 * @throws an error whose cause `readFault` tells: the file cannot be read, or is longer than `maxBytes`.
 */
export async function readBounded(file: string, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // One byte more than allowed is asked for, so that a longer file shows.
  for await (const chunk of createReadStream(file, { end: maxBytes })) chunks.push(chunk as Buffer);
  const content = Buffer.concat(chunks);
  if (content.length > maxBytes) throw new TooLargeError(`longer than ${maxBytes} bytes`);
  return content;
}

const CAUSES: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['ENOTDIR', 'there is no such file'],
  ['EISDIR', 'it is a folder'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
]);

/** Why a file could not be read, in a few words. */
export function readFault(error: unknown): string {
  if (error instanceof TooLargeError) return error.message;
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  return CAUSES.get(code) ?? code;
}

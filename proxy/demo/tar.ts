/** Archives of plain files (POSIX ustar), as image layers are. */

const BLOCK = 512;

/** @param files path → content; every file is readable and executable by all and dates from 1970 */
export function createTar(files: ReadonlyMap<string, Uint8Array>): Buffer {
  const entries = [...files].flatMap(([path, content]) => [
    header(path, content.length),
    padToBlock(content),
  ]);
  return Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]);
}

function header(path: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const field = (text: string, offset: number): void => {
    block.write(text, offset, 'ascii');
  };
  field(path, 0);
  field('0000755\0', 100);
  field('0000000\0', 108);
  field('0000000\0', 116);
  field(`${octal(size, 11)}\0`, 124);
  field(`${octal(0, 11)}\0`, 136);
  // The checksum is taken with its own field full of spaces.
  field(' '.repeat(8), 148);
  field('0', 156);
  field('ustar\x0000', 257);
  const sum = block.reduce((total, octet) => total + octet, 0);
  field(`${octal(sum, 6)}\0 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function padToBlock(content: Uint8Array): Buffer {
  const rest = content.length % BLOCK;
  return Buffer.concat([content, Buffer.alloc(rest === 0 ? 0 : BLOCK - rest)]);
}

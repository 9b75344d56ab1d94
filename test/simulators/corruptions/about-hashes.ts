/** What the file that names another says wrongly of its hash and length. */
import type { Plain, PlainHashes, PlainMeta } from '../../../proxy/demo/notary/metadata-writer.ts';
import type { Corruption, Scene } from './types.ts';

const MIB = 1024 * 1024;

type Hashes = Partial<PlainHashes>;

export const aboutHashes: readonly Corruption[] = [
  described('sha256 off by one bit', ({ hashes, length }) => ({
    hashes: { ...hashes, sha256: offByOne(hashes.sha256) },
    length,
  })),
  described('sha512 wrong but sha256 right', ({ hashes, length }) => ({
    hashes: { ...hashes, sha512: offByOne(hashes.sha512 ?? '') },
    length,
  })),
  described('length one too small', ({ hashes, length }) => ({ hashes, length: length - 1 })),
  described('length one too large', ({ hashes, length }) => ({ hashes, length: length + 1 })),
  described('length -1', ({ hashes }) => ({ hashes, length: -1 })),
  described('length as a string', ({ hashes, length }) => ({ hashes, length: String(length) })),
  described('length 33 MiB', ({ hashes }) => ({ hashes, length: 33 * MIB })),
  described('hashes absent', ({ length }) => ({ length })),
  described('hashes empty', ({ length }) => ({ hashes: {}, length })),
  described('sha512 without sha256', ({ hashes, length }) => ({ hashes: { sha512: hashes.sha512 }, length })),
  described('sha256 without sha512', ({ hashes, length }) => ({ hashes: { sha256: hashes.sha256 }, length })),
  described('an unknown hash beside sha256', ({ hashes, length }) => ({
    hashes: { ...hashes, md5: 'AAAA' },
    length,
  })),
  described('sha256 one byte short', ({ hashes, length }) => ({
    hashes: { ...hashes, sha256: Buffer.from(hashes.sha256, 'base64').subarray(1).toString('base64') },
    length,
  })),
  described('sha256 in hex', ({ hashes, length }) => ({
    hashes: { ...hashes, sha256: Buffer.from(hashes.sha256, 'base64').toString('hex') },
    length,
  })),
  described('nothing said of the file', () => undefined),
];

function described(name: string, change: (meta: PlainMeta) => Plain): Corruption {
  return {
    name,
    alters: 'description',
    content: (signed, scene) => {
      const meta = signed['meta'] as Record<string, PlainMeta>;
      const honest = meta[scene.role];
      if (honest === undefined) return;
      const changed = change(honest);
      signed['meta'] = { ...meta, [scene.role]: changed } as Plain;
      serveUnderNewName(scene, changed as { readonly hashes?: Hashes } | undefined);
    },
  };
}

/** A hostile server hands the file out whatever hash it is asked for by. */
function serveUnderNewName(
  { repository, role }: Scene,
  meta: { readonly hashes?: Hashes } | undefined,
): void {
  const bytes = repository.files.get(role);
  const hex = Buffer.from(meta?.hashes?.sha256 ?? '', 'base64').toString('hex');
  if (bytes !== undefined) repository.files.set(`${role}.${hex}`, bytes);
}

function offByOne(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return bytes.toString('base64');
}

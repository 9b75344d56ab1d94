/** The committed corpus: files that once were interesting, and what the real Notary programs wrote. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type CorpusFile = { readonly name: string; readonly bytes: Uint8Array };

/** @param repositoryRoot where package.json is; the compiled script does not lie beside the corpus. */
export function readCorpus(repositoryRoot: string): readonly CorpusFile[] {
  const own = join(repositoryRoot, 'test/fuzz/corpus');
  const vectors = join(repositoryRoot, 'test/vectors/notary');
  const named = (folder: string, recursive: boolean) =>
    readdirSync(folder, { recursive, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.md'))
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort();
  return [...named(own, false), ...named(vectors, true)].map((path) => ({
    name: path.slice(repositoryRoot.length + 1),
    bytes: readFileSync(path),
  }));
}

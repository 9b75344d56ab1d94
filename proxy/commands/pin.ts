/** `pin IMAGE`: the root keys a repository shows today, and, once they are expected, the pin that trusts them. */
import { readFile } from 'node:fs/promises';
import { loadConfig } from '../config/load-config.ts';
import { addPin } from '../config/pin-editor.ts';
import type { Config } from '../config/types.ts';
import { createTrustClient } from '../runtime/trust.ts';
import { createRepositoryFiles } from '../trust-client/fetch.ts';
import { createNotarySource } from '../trust-client/notary-source.ts';
import { noTrustData } from '../trust-client/root-chain.ts';
import {
  idsOf,
  parseRootFile,
  type RootFile,
  type RootKey,
  usableRootKeys,
  verifyFirstRoot,
  verifyRootIsCurrent,
} from '../trust-client/root-trust.ts';
import { findImage, type NamedImage } from './image.ts';
import { CommandError, type CommandIo } from './io.ts';
import { replaceFile } from './replace-file.ts';

export type PinOptions = { readonly config: string; readonly expect?: string | undefined };

/**
 * @returns 0 when the keys were shown or the pin was written; 3 when another key was expected.
 * @throws CommandError, ConfigError or TrustError when it cannot be told or written.
 */
export async function runPin(image: string, options: PinOptions, io: CommandIo): Promise<number> {
  const config = await loadConfig(options.config);
  const named = findImage(image, config);
  const root = await fetchRoot(named, config);
  const keys = usableRootKeys(root.metadata, named.gun, new Date());
  if (options.expect === undefined) {
    io.out(describe(named, root, keys, config.file));
    return 0;
  }
  const expected = keys.find((key) => idsOf(key).includes(options.expect ?? ''));
  if (expected === undefined) {
    io.err(
      `${named.gun} does not have the root key ${options.expect}; it has ${keys.flatMap(idsOf).join(', ')}; nothing was written`,
    );
    return 3;
  }
  const edited = addPin(await readFile(config.file, 'utf8'), named.gun, options.expect);
  if (edited === undefined) {
    throw new CommandError(
      `the pin for ${named.gun} in ${config.file} has a ca instead of rootKeys; edit it by hand`,
    );
  }
  await replaceFile(config.file, edited);
  await loadConfig(config.file);
  io.out(
    `${config.file}: ${named.gun} is pinned to ${options.expect}; send SIGHUP to a running proxy to apply it`,
  );
  return 0;
}

/** Verifies the root as if its keys were pinned: it must be consistent in itself. */
async function fetchRoot({ registry, gun }: NamedImage, config: Config): Promise<RootFile> {
  const client = createTrustClient(registry);
  try {
    const signal = AbortSignal.timeout(config.trust.timeoutMs);
    const bytes = await createRepositoryFiles(createNotarySource(client), gun, signal).current('root');
    if (bytes === undefined) throw noTrustData(gun);
    const root = parseRootFile(bytes);
    const now = new Date();
    const ids = new Set(usableRootKeys(root.metadata, gun, now).flatMap(idsOf));
    verifyFirstRoot(root, gun, { kind: 'keys', ids }, now);
    verifyRootIsCurrent(root, gun, now);
    return root;
  } finally {
    await client.close();
  }
}

function describe(
  { gun, registry }: NamedImage,
  root: RootFile,
  keys: readonly RootKey[],
  file: string,
): string {
  const { version, expires } = root.metadata;
  const [first] = keys;
  return [
    `${gun}: root version ${version}, valid until ${expires.toISOString()}, as served by ${registry.trust.server} now`,
    ...keys.flatMap(({ key, leaf }) => [
      '',
      `  canonical key ID  ${key.canonicalId}`,
      `  TUF key ID        ${key.id}`,
      `  certificate       ${leaf.commonName}, valid until ${leaf.notAfter.toISOString()}`,
    ]),
    '',
    'Check an ID against one the publisher gave you out of band, then write the pin with',
    `  pullwarden pin ${gun} --config ${file} --expect ${first?.key.canonicalId}`,
    'or add it to the configuration yourself:',
    '',
    'trust:',
    '  pins:',
    `    - match: ${gun}`,
    `      rootKeys: [${first?.key.canonicalId}]`,
  ].join('\n');
}

/** A client that fills a proxy's manifest cache over and over with manifests of its own, by digest. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MEDIA_TYPES } from '../../../proxy/demo/image.ts';
import type { RegistryServer } from '../../../proxy/demo/registry.ts';
import { makeTempDir, type Service, startService } from '../process.ts';
import { findPart } from '../programs.ts';
import type { HostileRegistry } from './registry.ts';

/** Just under what a manifest may have. */
const BYTES = 4 * 1024 * 1024 - 1024;
/** Together more than the cache holds. */
const MANIFESTS = 24;
/** Seconds; it is stopped before. */
const LONGEST = 600;

export function pushFloodImages(registry: RegistryServer, repository: string): readonly string[] {
  return Array.from({ length: MANIFESTS }, (_, index) => {
    const start = { schemaVersion: 2, mediaType: MEDIA_TYPES.docker, index, padding: 'x'.repeat(BYTES) };
    const end = {
      config: { mediaType: 'application/json', size: 2, digest: `sha256:${'0'.repeat(64)}` },
      layers: [],
    };
    return registry.putManifest(
      repository,
      Buffer.from(JSON.stringify({ ...start, ...end })),
      MEDIA_TYPES.docker,
    );
  });
}

/** In a process of its own, so that nothing slows it down but the proxy. Runs once the registry behind that is asked. */
export async function startFlood(
  base: string,
  registry: HostileRegistry,
  repository: string,
  digests: readonly string[],
  parallel: number,
): Promise<Service> {
  const script = join(await makeTempDir('flood'), 'flood.lua');
  const paths = digests.map((digest) => `"/v2/${repository}/manifests/${digest}"`);
  const inTurn = `function request() at = at % #paths + 1 return wrk.format("GET", paths[at]) end`;
  await writeFile(script, `local paths, at = { ${paths.join(', ')} }, 0\n${inTurn}\n`);
  return await startService({
    name: 'flood',
    command: findPart('wrk') ?? 'wrk',
    args: [
      ...['-t', '1', '-c', String(parallel), '-d', `${LONGEST}s`, '-s', script],
      ...['-H', `Accept: ${MEDIA_TYPES.docker}`, base],
    ],
    ready: () => Promise.resolve(registry.fetched > 0),
  });
}

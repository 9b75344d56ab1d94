/** A client that fills a proxy's manifest cache over and over with manifests of its own, by digest. */
import { Agent } from 'node:http';
import { MEDIA_TYPES } from '../../../proxy/demo/image.ts';
import type { RegistryServer } from '../../../proxy/demo/registry.ts';
import { ask } from '../http.ts';

/** Just under what a manifest may have. */
const BYTES = 4 * 1024 * 1024 - 1024;
/** Together more than the cache holds. */
const MANIFESTS = 24;

export interface Flood {
  /** @returns how many manifests it got */
  stop(): Promise<number>;
}

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

export function startFlood(
  base: string,
  repository: string,
  digests: readonly string[],
  parallel: number,
): Flood {
  const agent = new Agent({ keepAlive: true, maxSockets: parallel });
  let isOver = false;
  let got = 0;
  const headers = { accept: MEDIA_TYPES.docker };
  const flood = async (first: number): Promise<void> => {
    for (let next = first; !isOver; next += 1) {
      const digest = digests[next % digests.length];
      const answer = await ask(`${base}/v2/${repository}/manifests/${digest}`, { headers, agent }).catch(
        () => undefined,
      );
      if (answer?.status === 200) got += 1;
    }
  };
  const floods = Array.from({ length: parallel }, (_, index) => flood(index * 7));
  return {
    stop: async () => {
      isOver = true;
      await Promise.all(floods);
      agent.destroy();
      return got;
    },
  };
}

/** docker-registry with its default log, an image of one large layer, and its own count of requests. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildImage, toDigest } from '../proxy/demo/image.ts';
import type { Digest } from '../proxy/names/reference.ts';
import { findFreePort, makeTempDir, onFreePort } from '../test/real/process.ts';
import { programOf } from '../test/real/programs.ts';
import { startLogged } from './logged-service.ts';

/** Without a further answer for this long, a registry counts as idle, in milliseconds. */
const SETTLED_MS = 150;

export type BenchRegistry = {
  readonly url: string;
  /**
   * Manifest requests it has answered since it started, by its own metrics, once it has nothing more to answer: a
   * load generator that stops leaves requests behind.
   */
  settledManifestRequests(): Promise<number>;
};

export type BenchImage = {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly length: number;
  readonly mediaType: string;
  readonly layer: Digest;
  /** Bytes of the layer. */
  readonly layerLength: number;
};

export async function startBenchRegistry(): Promise<BenchRegistry> {
  const folder = await makeTempDir('bench-registry');
  const debugPort = await findFreePort();
  return await onFreePort(async (port) => {
    const url = `http://127.0.0.1:${port}`;
    const metrics = `http://127.0.0.1:${debugPort}/metrics`;
    const config = join(folder, 'registry.yml');
    // The registry reads YAML, of which JSON is a part.
    const settings = {
      version: '0.1',
      storage: { filesystem: { rootdirectory: join(folder, 'storage') } },
      http: {
        addr: `127.0.0.1:${port}`,
        debug: { addr: `127.0.0.1:${debugPort}`, prometheus: { enabled: true, path: '/metrics' } },
      },
    };
    await writeFile(config, JSON.stringify(settings));
    await startLogged(join(folder, 'log'), {
      name: 'docker-registry',
      command: programOf('docker-registry'),
      args: ['serve', config],
      ready: async () => (await fetch(`${url}/v2/`)).ok,
    });
    return { url, settledManifestRequests: () => untilSettled(() => countManifestRequests(metrics)) };
  });
}

async function untilSettled(count: () => Promise<number>): Promise<number> {
  for (let last = await count(); ; ) {
    await delay(SETTLED_MS);
    const next = await count();
    if (next === last) return next;
    last = next;
  }
}

async function countManifestRequests(metrics: string): Promise<number> {
  const body = await (await fetch(metrics)).text();
  const samples = body.matchAll(/^registry_http_requests_total\{[^}]*handler="manifest"[^}]*\} (\S+)$/gm);
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
}

/** Pushes an image whose one layer has this many random bytes. */
export async function pushImage(url: string, repository: string, layerLength: number): Promise<BenchImage> {
  const layer = randomBytes(layerLength);
  const { manifest, blobs } = buildImage({ layers: [layer] });
  for (const blob of blobs) await pushBlob(`${url}/v2/${repository}/blobs/uploads/`, blob);
  const tag = 'signed';
  const { body, digest, mediaType } = manifest;
  const answer = await fetch(`${url}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body,
  });
  if (answer.status !== 201) throw new Error(`the registry took no manifest: ${answer.status}`);
  return { repository, tag, digest, length: body.length, mediaType, layer: toDigest(layer), layerLength };
}

async function pushBlob(uploads: string, blob: Uint8Array): Promise<void> {
  const begun = await fetch(uploads, { method: 'POST' });
  const target = new URL(begun.headers.get('location') ?? '', uploads);
  target.searchParams.set('digest', toDigest(blob));
  const answer = await fetch(target, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: blob,
  });
  if (answer.status !== 201)
    throw new Error(`the registry took no blob: ${answer.status} ${await answer.text()}`);
}

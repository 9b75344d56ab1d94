/** An image in a real registry and its signature in a real Notary server, without a daemon. */
import { buildImage, toDigest } from '../../../proxy/demo/image.ts';
import type { NotaryClient } from '../notary.ts';

export interface Content {
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface Published {
  readonly repository: string;
  readonly mediaType: string;
  readonly manifest: Content;
  readonly config: Content;
  readonly layer: Content;
}

/** Pushes an image of one layer under some tags. @param token holds push for the repository. */
export async function publish(
  registryUrl: string,
  token: string,
  repository: string,
  tags: readonly string[],
  label: string,
): Promise<Published> {
  const { manifest, blobs } = buildImage({ label });
  const base = `${registryUrl}/v2/${repository}`;
  const authorization = `Bearer ${token}`;
  for (const bytes of blobs) {
    const started = await fetch(`${base}/blobs/uploads/`, { method: 'POST', headers: { authorization } });
    const place = new URL(started.headers.get('location') ?? '', registryUrl);
    place.searchParams.set('digest', toDigest(bytes));
    await put(place.href, bytes, { authorization });
  }
  for (const tag of tags) {
    const headers = { authorization, 'content-type': manifest.mediaType };
    await put(`${base}/manifests/${tag}`, manifest.body, headers);
  }
  const [config = Buffer.alloc(0), layer = Buffer.alloc(0)] = blobs;
  return {
    repository,
    mediaType: manifest.mediaType,
    manifest: toContent(manifest.body),
    config: toContent(config),
    layer: toContent(layer),
  };
}

export async function signTags(
  notary: NotaryClient,
  gun: string,
  tags: readonly string[],
  { digest, bytes }: Content,
): Promise<void> {
  await notary.init(gun);
  for (const tag of tags) await notary.addHash(gun, tag, bytes.length, digest.slice('sha256:'.length));
}

async function put(url: string, body: Uint8Array, headers: Readonly<Record<string, string>>): Promise<void> {
  const { status } = await fetch(url, { method: 'PUT', headers, body: Buffer.from(body) });
  if (status !== 201) throw new Error(`PUT ${url}: ${status}`);
}

function toContent(bytes: Uint8Array): Content {
  return { digest: toDigest(bytes), bytes: Buffer.from(bytes) };
}

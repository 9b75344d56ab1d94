/** Small images in the four forms registries hold: Docker and OCI, one platform or several. */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Digest } from '../names/reference.ts';
import { createTar } from './tar.ts';

export type ImageKind = 'docker' | 'oci' | 'docker-list' | 'oci-index';

export type ImageOptions = {
  /** `docker` when absent. */
  readonly kind?: ImageKind;
  /** Blobs used as layers as they are; one small archive that holds the label when absent. */
  readonly layers?: readonly Uint8Array[];
  /** Makes otherwise equal images differ. */
  readonly label?: string;
  /** Lists and indexes: `os/architecture` of each child. */
  readonly platforms?: readonly string[];
};

export type Manifest = { readonly digest: Digest; readonly mediaType: string; readonly body: Uint8Array };

export type BuiltImage = {
  readonly manifest: Manifest;
  /** Lists and indexes: the manifests they name. */
  readonly children: readonly Manifest[];
  /** Configurations and layers. */
  readonly blobs: readonly Uint8Array[];
  readonly layers: readonly Digest[];
};

export const MEDIA_TYPES = {
  docker: 'application/vnd.docker.distribution.manifest.v2+json',
  oci: 'application/vnd.oci.image.manifest.v1+json',
  'docker-list': 'application/vnd.docker.distribution.manifest.list.v2+json',
  'oci-index': 'application/vnd.oci.image.index.v1+json',
} as const satisfies Record<ImageKind, string>;

const PARTS = {
  docker: {
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
  oci: {
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
} as const;

type Descriptor = { readonly mediaType: string; readonly size: number; readonly digest: Digest };

export function toDigest(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function buildImage(options: ImageOptions = {}): BuiltImage {
  const { kind = 'docker', platforms = ['linux/amd64', 'linux/arm64'] } = options;
  if (kind === 'docker' || kind === 'oci') return buildSingle(kind, 'linux/amd64', options);
  const childKind = kind === 'docker-list' ? 'docker' : 'oci';
  const children = platforms.map((platform) => ({
    platform,
    image: buildSingle(childKind, platform, options),
  }));
  const manifests = children.map(({ platform, image }) => ({
    ...describe(image.manifest.mediaType, image.manifest.body),
    platform: toPlatform(platform),
  }));
  return {
    manifest: toManifest(MEDIA_TYPES[kind], { manifests }),
    children: children.map(({ image }) => image.manifest),
    blobs: children.flatMap(({ image }) => image.blobs),
    layers: children[0]?.image.layers ?? [],
  };
}

function buildSingle(kind: 'docker' | 'oci', platform: string, options: ImageOptions): BuiltImage {
  const layers = options.layers ?? [labelLayer(options.label ?? '', platform)];
  const config = Buffer.from(JSON.stringify(configuration(platform, layers)));
  const manifest = toManifest(MEDIA_TYPES[kind], {
    config: describe(PARTS[kind].config, config),
    layers: layers.map((layer) => describe(PARTS[kind].layer, layer)),
  });
  return { manifest, children: [], blobs: [config, ...layers], layers: layers.map(toDigest) };
}

function toManifest(mediaType: string, content: object): Manifest {
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }, undefined, 3));
  return { digest: toDigest(body), mediaType, body };
}

function describe(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, size: bytes.length, digest: toDigest(bytes) };
}

function toPlatform(platform: string): { readonly os: string; readonly architecture: string } {
  const [os = '', architecture = ''] = platform.split('/');
  return { os, architecture };
}

function labelLayer(label: string, platform: string): Uint8Array {
  return gzipSync(createTar(new Map([['hello.txt', Buffer.from(`${label} for ${platform}\n`)]])));
}

function configuration(platform: string, layers: readonly Uint8Array[]): object {
  return {
    created: '2026-11-01T00:00:00Z',
    ...toPlatform(platform),
    config: { Cmd: ['/hello.txt'] },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => toDigest(unpacked(layer))) },
    history: layers.map(() => ({ created: '2026-11-01T00:00:00Z', created_by: 'pullwarden demo' })),
  };
}

/** A layer is identified in the configuration by its content before compression. */
function unpacked(layer: Uint8Array): Uint8Array {
  const isGzip = layer[0] === 0x1f && layer[1] === 0x8b;
  return isGzip ? gunzipSync(layer) : layer;
}

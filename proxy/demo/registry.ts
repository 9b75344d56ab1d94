/** A registry that keeps its images in memory and answers the pull side of the distribution API. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type Digest, GRAMMAR, isDigest } from '../names/reference.ts';
import { type AccessCheck, openAccess } from './access.ts';
import { buildImage, type ImageOptions, type Manifest, MEDIA_TYPES, toDigest } from './image.ts';
import { pageOf, sliceOf } from './registry-answers.ts';
import {
  type Answer,
  errorAnswer,
  jsonAnswer,
  type ServerOptions,
  SimulatedServer,
  textAnswer,
} from './simulated-server.ts';

export type RegistryOptions = ServerOptions & {
  /** Everybody may pull when absent. */
  readonly access?: AccessCheck;
};

export type PushedImage = {
  readonly digest: Digest;
  /** Size of the manifest in bytes: what a signer signs. */
  readonly length: number;
  readonly mediaType: string;
  /** The manifest, exact bytes. */
  readonly body: Uint8Array;
  readonly layers: readonly Digest[];
  /** Lists and indexes: the digests they name. */
  readonly children: readonly Digest[];
};

type Repository = {
  readonly manifests: Map<Digest, Manifest>;
  readonly tags: Map<string, Digest>;
  readonly blobs: Map<Digest, Uint8Array>;
};

const ROUTE = new RegExp(`^/v2/(${GRAMMAR.repository})/(manifests|blobs|tags|referrers)/([^/]+)$`);
const API_VERSION = { 'Docker-Distribution-Api-Version': 'registry/2.0' };

export class RegistryServer extends SimulatedServer {
  readonly #repositories = new Map<string, Repository>();
  readonly #access: AccessCheck;

  constructor(options: RegistryOptions = {}) {
    super(options);
    this.#access = options.access ?? openAccess;
  }

  /** Builds a small image, stores it and points the tag to it; by default each repository and tag gets its own. */
  pushImage(repository: string, tag: string, options: ImageOptions = {}): PushedImage {
    const image = buildImage({ label: `${repository}:${tag}`, ...options });
    for (const blob of image.blobs) this.putBlob(repository, blob);
    for (const child of image.children) this.#create(repository).manifests.set(child.digest, child);
    const { body, mediaType } = image.manifest;
    const digest = this.putManifest(repository, body, mediaType, tag);
    const children = image.children.map((child) => child.digest);
    return { digest, length: body.length, mediaType, body, layers: image.layers, children };
  }

  putBlob(repository: string, bytes: Uint8Array): Digest {
    const digest = toDigest(bytes);
    this.#create(repository).blobs.set(digest, bytes);
    return digest;
  }

  /** Stores any bytes as a manifest. */
  putManifest(repository: string, body: Uint8Array, mediaType: string, tag?: string): Digest {
    const digest = toDigest(body);
    const { manifests, tags } = this.#create(repository);
    manifests.set(digest, { digest, mediaType, body });
    if (tag !== undefined) tags.set(tag, digest);
    return digest;
  }

  moveTag(repository: string, tag: string, digest: Digest): void {
    this.#create(repository).tags.set(tag, digest);
  }

  deleteTag(repository: string, tag: string): void {
    this.#repositories.get(repository)?.tags.delete(tag);
  }

  deleteManifest(repository: string, digest: Digest): void {
    this.#repositories.get(repository)?.manifests.delete(digest);
  }

  deleteBlob(repository: string, digest: Digest): void {
    this.#repositories.get(repository)?.blobs.delete(digest);
  }

  /** Manifest requests so far, by tag and by digest. */
  get manifestRequests(): number {
    return this.count(/\/manifests\//);
  }

  /** Manifest requests by tag so far: there must be none from a proxy that asks by digest. */
  get tagRequests(): number {
    return this.count(/\/manifests\/(?!sha256:|sha512:)/);
  }

  get blobRequests(): number {
    return this.count(/\/blobs\//);
  }

  protected override answer(request: IncomingMessage): Answer {
    const answer = this.#route(request);
    return { ...answer, headers: { ...API_VERSION, ...answer.headers } };
  }

  #route(request: IncomingMessage): Answer {
    const { authorization } = request.headers;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return errorAnswer(405, 'UNSUPPORTED', 'The operation is unsupported.');
    }
    const url = new URL(request.url ?? '/', 'http://registry');
    if (url.pathname === '/v2/') return this.#access(authorization, undefined) ?? jsonAnswer(200, {});
    const [, name, kind, reference = ''] = ROUTE.exec(url.pathname) ?? [];
    // Referrers are unknown here as they are to the distribution registry (registry-clients.md §3).
    if (name === undefined || kind === 'referrers') return textAnswer(404, '404 page not found\n');
    const refusal = this.#access(authorization, { repository: name, action: 'pull' });
    return (
      refusal ??
      this.#resource(name, `${kind}`, reference, { headers: request.headers, query: url.searchParams })
    );
  }

  #resource(name: string, kind: string, reference: string, request: ResourceRequest): Answer {
    const repository = this.#repositories.get(name);
    if (repository === undefined)
      return errorAnswer(404, 'NAME_UNKNOWN', 'repository name not known to registry');
    if (kind === 'manifests') return manifestAnswer(repository, reference, request.headers);
    if (kind === 'blobs') return blobAnswer(repository, reference, request.headers);
    if (reference === 'list') return pageOf(name, [...repository.tags.keys()], request.query);
    return textAnswer(404, '404 page not found\n');
  }

  #create(name: string): Repository {
    const repository = this.#repositories.get(name) ?? {
      manifests: new Map(),
      tags: new Map(),
      blobs: new Map(),
    };
    this.#repositories.set(name, repository);
    return repository;
  }
}

type ResourceRequest = { readonly headers: IncomingHttpHeaders; readonly query: URLSearchParams };

function manifestAnswer(repository: Repository, reference: string, headers: IncomingHttpHeaders): Answer {
  const digest = isDigest(reference) ? reference : repository.tags.get(reference);
  const manifest = digest && repository.manifests.get(digest);
  if (manifest === undefined) return errorAnswer(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  if (!isAccepted(manifest.mediaType, headers.accept)) {
    return errorAnswer(
      404,
      'MANIFEST_UNKNOWN',
      'OCI manifest found, but accept header does not support OCI manifests',
    );
  }
  const etag = `"${manifest.digest}"`;
  const described = {
    'Content-Type': manifest.mediaType,
    'Docker-Content-Digest': manifest.digest,
    ETag: etag,
  };
  if (headers['if-none-match'] === etag) return { status: 304, headers: described, body: Buffer.alloc(0) };
  return { status: 200, headers: described, body: manifest.body };
}

/** The distribution registry hands OCI manifests only to those who ask for them (registry-clients.md §3). */
function isAccepted(mediaType: string, accept: string | undefined): boolean {
  const isOci = mediaType === MEDIA_TYPES.oci || mediaType === MEDIA_TYPES['oci-index'];
  return !isOci || accept?.includes(mediaType) === true || accept?.includes('*/*') === true;
}

function blobAnswer(repository: Repository, reference: string, headers: IncomingHttpHeaders): Answer {
  const bytes = isDigest(reference) ? repository.blobs.get(reference) : undefined;
  if (bytes === undefined) return errorAnswer(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
  return sliceOf(bytes, headers.range, {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': reference,
    ETag: `"${reference}"`,
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'max-age=31536000',
  });
}

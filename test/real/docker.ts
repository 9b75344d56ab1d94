import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PASSPHRASE } from './notary.ts';
import type { NotaryServer } from './notary-server.ts';
import { makeTempDir, type Result, type RunOptions, run } from './process.ts';
import { programOf } from './programs.ts';

export interface DockerOptions {
  /** `unix://…` of the daemon. */
  readonly host: string;
  /** The Notary server that `docker trust` and DOCKER_CONTENT_TRUST use. */
  readonly trust?: Pick<NotaryServer, 'url' | 'port' | 'caFile'>;
}

export interface CommandOptions extends RunOptions {
  /** Sets DOCKER_CONTENT_TRUST=1: pulls are verified and pushes signed by the client itself. */
  readonly contentTrust?: boolean;
}

export interface Pushed extends Result {
  /** `sha256:…` of the pushed manifest, and its length in bytes. */
  readonly digest: string;
  readonly size: number;
}

export interface TrustInspection {
  readonly Name: string;
  readonly SignedTags: readonly {
    readonly SignedTag: string;
    readonly Digest: string;
    readonly Signers: readonly string[];
  }[];
  readonly Signers: readonly NamedKeys[];
  readonly AdministrativeKeys: readonly NamedKeys[];
}

interface NamedKeys {
  readonly Name: string;
  readonly Keys: readonly { readonly ID: string }[];
}

/** The Docker CLI (20.10, with `docker trust`) under a home folder of its own. */
export class DockerClient {
  readonly home: string;
  readonly #env: Readonly<Record<string, string>>;

  static async create(options: DockerOptions): Promise<DockerClient> {
    const home = await makeTempDir('home');
    const config = join(home, '.docker');
    await mkdir(config);
    const env = { HOME: home, DOCKER_CONFIG: config, DOCKER_HOST: options.host };
    if (options.trust === undefined) return new DockerClient(home, env);

    const tls = join(config, 'tls', `localhost:${options.trust.port}`);
    await mkdir(tls, { recursive: true });
    await copyFile(options.trust.caFile, join(tls, 'ca.crt'));
    return new DockerClient(home, {
      ...env,
      DOCKER_CONTENT_TRUST_SERVER: options.trust.url,
      DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: PASSPHRASE,
      DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: PASSPHRASE,
    });
  }

  private constructor(home: string, env: Readonly<Record<string, string>>) {
    this.home = home;
    this.#env = env;
  }

  /** Keys and metadata of this client; a `NotaryClient` on it works on the same repositories. */
  get trustDir(): string {
    return join(this.home, '.docker', 'trust');
  }

  /** Runs any docker command; a failure is an answer. */
  docker(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
    const trust = options.contentTrust === true ? { DOCKER_CONTENT_TRUST: '1' } : {};
    const env = { ...this.#env, ...trust, ...options.env };
    return run(programOf('docker'), args, { cwd: this.home, ...options, env });
  }

  /** Runs a docker command that has to succeed. */
  async dockerOk(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
    const result = await this.docker(args, options);
    if (result.status === 0) return result;
    throw new Error(
      `docker ${args.join(' ')}\nended with ${result.status}\n${result.stdout}${result.stderr}`,
    );
  }

  /** Makes an image of one layer with one file, `content`, in it; no base image is needed. */
  async importImage(name: string, content: string): Promise<Result> {
    const folder = await makeTempDir('image');
    await mkdir(join(folder, 'root'));
    await writeFile(join(folder, 'root', 'content'), content);
    const archive = join(folder, 'layer.tar');
    await run('tar', ['-C', join(folder, 'root'), '-cf', archive, '.']);
    return await this.dockerOk(['import', archive, name]);
  }

  /** Pushes an image that exists locally; with `contentTrust` the push signs it into `targets` or the delegations. */
  async push(reference: string, options: CommandOptions = {}): Promise<Pushed> {
    const result = await this.dockerOk(['push', reference], options);
    const [, digest, size] = /digest: (sha256:[0-9a-f]{64}) size: (\d+)/.exec(result.stdout) ?? [];
    if (digest === undefined)
      throw new Error(`docker push printed no digest:\n${result.stdout}${result.stderr}`);
    return { ...result, digest, size: Number(size) };
  }

  /** Pulls; a refusal is an answer. */
  pull(reference: string, options: CommandOptions = {}): Promise<Result> {
    return this.docker(['pull', reference], options);
  }

  /** Digests (`sha256:…`) under which the daemon knows an image, or none. */
  async repoDigests(reference: string): Promise<readonly string[]> {
    const result = await this.docker(['image', 'inspect', '--format', '{{json .RepoDigests}}', reference]);
    if (result.status !== 0) return [];
    return (JSON.parse(result.stdout) as string[]).map((entry) => entry.slice(entry.indexOf('@') + 1));
  }

  /** Makes a signer's key and returns the file with its public half. */
  async trustKeyGenerate(signer: string): Promise<string> {
    await this.dockerOk(['trust', 'key', 'generate', signer, '--dir', this.home]);
    return join(this.home, `${signer}.pub`);
  }

  /** Adds a signer; the first one initialises the repository's trust data. */
  trustSignerAdd(signer: string, publicKeyFile: string, repository: string): Promise<Result> {
    return this.dockerOk(['trust', 'signer', 'add', '--key', publicKeyFile, signer, repository]);
  }

  trustSignerRemove(signer: string, repository: string): Promise<Result> {
    return this.dockerOk(['trust', 'signer', 'remove', '--force', signer, repository]);
  }

  /** Pushes and signs a local tag into `targets/releases` and into the delegations whose keys this client has. */
  trustSign(reference: string): Promise<Result> {
    return this.dockerOk(['trust', 'sign', reference]);
  }

  trustRevoke(reference: string): Promise<Result> {
    return this.dockerOk(['trust', 'revoke', '--yes', reference]);
  }

  /** What `docker trust inspect` says about one reference. */
  async trustInspect(reference: string): Promise<TrustInspection> {
    const result = await this.dockerOk(['trust', 'inspect', reference]);
    const [first] = JSON.parse(result.stdout) as TrustInspection[];
    if (first === undefined) throw new Error(`docker trust inspect ${reference} printed an empty list`);
    return first;
  }
}

import { type Algorithm, createSelfSigned, encryptTraditional, type KeyPair } from './certificates.ts';
import type { NotaryServer } from './notary-server.ts';
import { makeTempDir, type Result, type RunOptions, run, runOk } from './process.ts';
import { programOf } from './programs.ts';

/** One passphrase for every key, so that `notary` can work on a trust folder that `docker trust` filled. */
export const PASSPHRASE = 'pullwarden-test-passphrase';

/**
 * Roles in which the Docker CLI looks a tag up, for `list`; by itself `notary list` names the first delegation it meets.
 * `targets` brings its other delegations along: Docker refuses what is listed with a third role.
 */
export const DOCKER_ORDER: readonly string[] = ['targets/releases', 'targets'];

export interface ListedTarget {
  readonly name: string;
  /** Hex SHA-256; empty where the target has another hash only. */
  readonly digest: string;
  readonly size: number;
  readonly role: string;
}

export interface TargetOptions {
  /** Delegations that sign it; absent: `targets`. */
  readonly roles?: readonly string[];
}

export interface InitOptions {
  /** Type of the root key; the key ID in root.json is that of an x509 certificate in any case. Default ecdsa. */
  readonly root?: Algorithm;
  /** Give notary a certificate made by openssl instead of letting it make one for the key. */
  readonly ownCertificate?: boolean;
}

export interface RotateOptions {
  /** The server makes and keeps the new key (`-r`): needed for timestamp, possible for snapshot. */
  readonly serverManaged?: boolean;
  /** An encrypted traditional PEM to rotate to (root, targets); absent: notary makes an ecdsa key. */
  readonly keyFile?: string;
  /** How many root keys before the previous one sign too (`-l`). */
  readonly legacy?: number;
}

export type ManagedRole = 'root' | 'targets' | 'snapshot' | 'timestamp';

/** The `notary` program with its own trust folder. Methods throw with what it printed when it fails. */
export class NotaryClient {
  readonly trustDir: string;
  readonly #server: Pick<NotaryServer, 'url' | 'caFile'>;

  /** A client with an empty trust folder, or with one that exists, such as a Docker client's. */
  static async create(
    server: Pick<NotaryServer, 'url' | 'caFile'>,
    trustDir?: string,
  ): Promise<NotaryClient> {
    return new NotaryClient(server, trustDir ?? (await makeTempDir('trust')));
  }

  private constructor(server: Pick<NotaryServer, 'url' | 'caFile'>, trustDir: string) {
    this.#server = server;
    this.trustDir = trustDir;
  }

  /** Runs any command; a failure is an answer. */
  notary(args: readonly string[], input?: string): Promise<Result> {
    return run(programOf('notary'), this.#arguments(args), this.#options(input));
  }

  /** Makes and publishes an empty trust collection; its snapshot key stays with the client. */
  async init(gun: string, options: InitOptions = {}): Promise<void> {
    await this.#ok('init', '-p', gun, ...(await this.#rootArguments(gun, options)));
  }

  /** Signs and publishes a target given by its digest, as it stands for an image. */
  async addHash(
    gun: string,
    name: string,
    size: number,
    sha256: string,
    options: TargetOptions = {},
  ): Promise<void> {
    await this.#ok('addhash', '-p', gun, name, String(size), '--sha256', sha256, ...toRoles(options));
  }

  /** Signs and publishes a file's content; unlike `addHash` it writes sha256 and sha512. */
  async add(gun: string, name: string, file: string, options: TargetOptions = {}): Promise<void> {
    await this.#ok('add', '-p', gun, name, file, ...toRoles(options));
  }

  async remove(gun: string, name: string, options: TargetOptions = {}): Promise<void> {
    await this.#ok('remove', '-p', gun, name, ...toRoles(options));
  }

  async publish(gun: string): Promise<void> {
    await this.#ok('publish', gun);
  }

  /** Drops staged changes. After a publish that failed they would make every later one fail too. */
  async reset(gun: string): Promise<void> {
    await this.#ok('reset', gun, '--all');
  }

  /** What `notary list` shows, in its order; `roles` is the order in which roles win (default: `targets` first). */
  async list(gun: string, roles: readonly string[] = []): Promise<readonly ListedTarget[]> {
    return parseList((await this.#ok('list', gun, ...toRoles({ roles }))).stdout);
  }

  /** The digest (hex) `notary lookup` finds, or undefined where it says there is none. */
  async lookup(gun: string, name: string): Promise<string | undefined> {
    const result = await this.notary(['lookup', gun, name]);
    if (result.status !== 0 && !`${result.stdout}${result.stderr}`.includes('No valid trust data')) {
      throw new Error(`notary lookup ${gun} ${name}\n${result.stdout}${result.stderr}`);
    }
    return /sha256:([0-9a-f]{64})/.exec(result.stdout)?.[1];
  }

  /** Delegates to the holders of x509 certificates; `paths` are prefixes of target names, absent: all names. */
  async addDelegation(
    gun: string,
    role: string,
    certs: readonly string[],
    paths?: readonly string[],
  ): Promise<void> {
    const scope = paths === undefined ? ['--all-paths'] : paths.flatMap((path) => ['--paths', path]);
    await this.#ok('delegation', 'add', '-p', gun, role, ...certs, ...scope);
  }

  /** Takes keys (canonical IDs) from a delegation, or the whole delegation away where none are given. */
  async removeDelegation(gun: string, role: string, keyIds: readonly string[] = []): Promise<void> {
    await this.#ok('delegation', 'remove', '-p', '-y', gun, role, ...keyIds);
  }

  /** Imports a delegation's private key (PKCS#8 or traditional PEM, unencrypted), so that this client can sign. */
  async importKey(keyFile: string, role: string): Promise<void> {
    await this.#ok('key', 'import', keyFile, '--role', role);
  }

  /** Makes a key with a certificate and imports it: a signer whose `certFile` goes to `addDelegation`. */
  async createSigner(name: string, algorithm: Algorithm): Promise<KeyPair> {
    const pair = await createSelfSigned(await makeTempDir('signer'), name, algorithm);
    await this.importKey(pair.keyFile, name);
    return pair;
  }

  /** Replaces the key of a role and publishes the new root. */
  async rotate(gun: string, role: ManagedRole, options: RotateOptions = {}): Promise<void> {
    const serverManaged = options.serverManaged === true ? ['-r'] : [];
    const key = options.keyFile === undefined ? [] : ['-k', options.keyFile];
    const legacy = options.legacy === undefined ? [] : ['-l', String(options.legacy)];
    // Only the rotation of a root asks, and it has no option that answers.
    const result = await this.notary(
      ['key', 'rotate', gun, role, ...serverManaged, ...key, ...legacy],
      'yes\n',
    );
    if (result.status !== 0) throw new Error(`notary key rotate ${role}\n${result.stdout}${result.stderr}`);
  }

  /** Makes an encrypted RSA key that `rotate` can take as `keyFile`. */
  async createRsaKey(): Promise<string> {
    const pair = await createSelfSigned(await makeTempDir('rsa'), 'unused', 'rsa');
    return await encryptTraditional(pair.keyFile, 'rsa', PASSPHRASE);
  }

  /** Signs roles again without changing what they say: version and expiry move. */
  async witness(gun: string, roles: readonly string[]): Promise<void> {
    await this.#ok('witness', '-p', gun, ...roles);
  }

  async #rootArguments(gun: string, options: InitOptions): Promise<readonly string[]> {
    if (options.root === undefined && options.ownCertificate !== true) return [];
    const algorithm = options.root ?? 'ecdsa';
    const pair = await createSelfSigned(await makeTempDir('root'), gun, algorithm);
    const key = ['--rootkey', await encryptTraditional(pair.keyFile, algorithm, PASSPHRASE)];
    return options.ownCertificate === true ? [...key, '--rootcert', pair.certFile] : key;
  }

  #ok(...args: readonly string[]): Promise<Result> {
    return runOk(programOf('notary'), this.#arguments(args), this.#options());
  }

  #arguments(args: readonly string[]): readonly string[] {
    return ['-s', this.#server.url, '--tlscacert', this.#server.caFile, '-d', this.trustDir, ...args];
  }

  #options(input?: string): RunOptions {
    const env = {
      HOME: this.trustDir,
      NOTARY_ROOT_PASSPHRASE: PASSPHRASE,
      NOTARY_TARGETS_PASSPHRASE: PASSPHRASE,
      NOTARY_SNAPSHOT_PASSPHRASE: PASSPHRASE,
      NOTARY_DELEGATION_PASSPHRASE: PASSPHRASE,
    };
    return { env, ...(input === undefined ? {} : { input }) };
  }
}

function toRoles(options: TargetOptions): readonly string[] {
  return (options.roles ?? []).flatMap((role) => ['--roles', role]);
}

function parseList(text: string): readonly ListedTarget[] {
  const rows = text.matchAll(/^(\S.*?)\s+(?:([0-9a-f]{64})\s+)?(\d+)\s+(\S+)\s*$/gm);
  return [...rows].map(([, name = '', digest = '', size, role = '']) => ({
    name,
    digest,
    size: Number(size),
    role,
  }));
}

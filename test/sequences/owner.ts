/** Everybody who signs for the one repository, honest or with stolen keys, and every state it was ever published in. */
import {
  describeFile,
  encodeEnvelope,
  encodeFileText,
  type Plain,
  type SignedTargets,
  signedBytes,
  signWith,
  writeFile,
} from '../../proxy/demo/notary/metadata-writer.ts';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import type { SigningKey } from '../../proxy/demo/notary/signing-key.ts';
import type { Digest } from '../../proxy/names/reference.ts';
import { GUN, pooledKey, rewrapped } from './keys.ts';

export type RoleKey = 'root' | 'timestamp' | 'snapshot' | 'targets' | 'releases' | 'qa';
export type Files = ReadonlyMap<string, Uint8Array>;
export type Forgery = 'absent' | 'unsigned' | 'old file' | 'old keys';

/** One publication: everything a server that stopped here would answer, and who could sign then. */
export type Publication = {
  readonly files: Files;
  readonly online: { readonly snapshot: readonly SigningKey[]; readonly timestamp: readonly SigningKey[] };
};

/** What one version of a role holds, and who signed it. */
export type Signed = { readonly tags: ReadonlyMap<string, Digest>; readonly signerIds: readonly string[] };
export type RoleKeys = ReadonlyMap<string, { readonly ids: readonly string[]; readonly threshold: number }>;

const MAX_KEYS = 3;
const BASE = ['root', 'timestamp', 'snapshot', 'targets'] as const;

export class Owner {
  readonly repository: SimulatedRepository;
  readonly history: Publication[] = [];
  /** By root version: who may sign for the roles the root names. */
  readonly roots = new Map<number, RoleKeys>();
  /** Delegations that were removed, and declared again with another key before anybody signed. */
  readonly declaredAgain = new Set<string>();
  readonly #signed = new Map<string, Signed[]>();
  /** By role: its file when it was recorded last. */
  readonly #recorded = new Map<string, Uint8Array | undefined>();
  readonly #idOf = new Map<string, string>();
  readonly #thresholds = new Map<string, number>();
  #keys = { root: 0, other: 0 };
  #serial = 0;
  #wraps = 0;
  #forged = 0;

  constructor(clock: () => Date) {
    this.repository = new SimulatedRepository(GUN, {
      clock,
      rootKey: this.#newKey('root'),
      targetsKey: this.#newKey('targets'),
      snapshotKey: this.#newKey('snapshot'),
      timestampKey: this.#newKey('timestamp'),
    });
    for (const name of ['releases', 'qa'])
      this.repository.addDelegation(name, { keys: [this.#newKey(name)] });
    this.publishTag('targets', 'a', false);
  }

  /** @param few only as many keys sign as must */
  publishTag(role: string, tag: string, few: boolean): void {
    if (!this.#has(role)) return;
    this.repository.addTag(tag, this.#nextDigest(), 100, { role });
    this.#publish(few ? role : undefined);
  }

  trustSign(tag: string): void {
    const digest = this.#nextDigest();
    for (const role of ['releases', 'qa']) {
      if (this.#has(role)) this.repository.addTag(tag, digest, 100, { role });
    }
    this.#publish();
  }

  revoke(tag: string, everywhere: boolean): void {
    for (const role of everywhere ? ['releases', 'qa', 'targets'] : ['releases', 'qa']) {
      const held: SignedTargets | undefined = this.#has(role)
        ? this.repository.signed(nameOf(role))
        : undefined;
      if (held !== undefined && tag in held.targets) {
        this.repository.removeTag(tag, role);
      }
    }
    this.#publish();
  }

  rotate(role: RoleKey): void {
    if (!this.#has(role)) return;
    this.#thresholds.delete(nameOf(role));
    this.repository.rotateKey(nameOf(role), this.#newKey(role));
    this.#record();
  }

  /** One more key; with `threshold` one more must sign, which needs no new key where there are enough. */
  raise(role: RoleKey, threshold: boolean): void {
    if (!this.#has(role)) return;
    const keys = this.repository.keys(nameOf(role));
    const least = this.#thresholds.get(nameOf(role)) ?? 1;
    const isEnough = threshold && keys.length > least;
    if (!isEnough && keys.length >= MAX_KEYS) return;
    const next = isEnough ? keys : [...keys, this.#newKey(role)];
    this.#setKeys(role, next, threshold ? least + 1 : least);
  }

  /** The role's last key in another certificate. */
  rewrap(role: RoleKey): void {
    if (!this.#has(role)) return;
    const keys = this.repository.keys(nameOf(role));
    const last = keys.at(-1) as SigningKey;
    const wrapped = rewrapped(last, this.#wraps++);
    this.#setKeys(role, [...keys.slice(0, -1), wrapped], this.#thresholds.get(nameOf(role)) ?? 1);
  }

  removeDelegation(role: string): void {
    if (!this.#has(role)) return;
    this.repository.removeDelegation(role);
    this.#publish();
  }

  addDelegation(role: string): void {
    if (this.#has(role)) return;
    this.#thresholds.delete(nameOf(role));
    this.declaredAgain.add(nameOf(role));
    this.repository.addDelegation(role, { keys: [this.#newKey(role)] });
    this.#publish();
  }

  /** What the server does of its own when a timestamp grows old. */
  renew(): void {
    this.#publish();
  }

  /** A new root is signed by its own keys and by those of the root before it. */
  vouchesFor(known: number, later: number): boolean {
    const asked = this.roots.get(known)?.get('root');
    const signers = [later, later - 1].flatMap((version) => this.roots.get(version)?.get('root')?.ids ?? []);
    return asked !== undefined && asked.ids.filter((id) => signers.includes(id)).length >= asked.threshold;
  }

  signedAs(role: string, version: number): readonly Signed[] {
    return this.#signed.get(`${role}:${version}`) ?? [];
  }

  /**
   * What a server says that holds the keys of snapshot and timestamp: never those of the owner.
   *
   * @param back how many publications ago the old file, or the old keys, are from
   */
  forge(how: Forgery, role: RoleKey, back: number): Files {
    const head = this.history.at(-1) as Publication;
    const old = this.history[Math.max(0, this.history.length - 1 - back)] as Publication;
    const [from, keys] = how === 'old keys' ? [old, old.online] : [head, head.online];
    const files = new Map(from.files);
    const snapshot = this.repository.signed('snapshot');
    const name = nameOf(role);
    this.#forged += 1;
    if (how === 'absent') delete snapshot.meta[name];
    if (how === 'old keys') {
      const parsed = JSON.parse(Buffer.from(old.files.get('snapshot') as Uint8Array).toString()).signed;
      snapshot.meta = parsed.meta;
      snapshot.expires = parsed.expires;
    }
    const file =
      how === 'unsigned' ? this.#unsigned(name, files) : how === 'old file' ? old.files.get(name) : undefined;
    if (file !== undefined) nameFile(files, snapshot.meta, name, this.#relabel(file, name));
    snapshot.version = this.repository.version('snapshot') + this.#forged;
    const snapshotBytes = writeFile(snapshot, keys.snapshot);
    const timestamp = this.repository.signed('timestamp');
    nameFile(files, timestamp.meta, 'snapshot', snapshotBytes);
    timestamp.version = this.repository.version('timestamp') + this.#forged;
    files.set('timestamp', writeFile(timestamp, keys.timestamp));
    return files;
  }

  #unsigned(name: string, files: Files): Uint8Array | undefined {
    if (!files.has(name)) return undefined;
    const signed = this.repository.signed(name);
    const stranger = pooledKey('other', 0);
    const [own] = this.repository.keys(name);
    const signatures = signWith([stranger], signedBytes(signed)).map((it) => ({
      ...it,
      keyid: own?.id ?? '',
    }));
    return encodeEnvelope(encodeFileText(signed as unknown as Plain), signatures);
  }

  /** The label of a signature is not signed: an attacker writes today's ID of the same key there. */
  #relabel(file: Uint8Array, name: string): Uint8Array {
    let text = Buffer.from(file).toString('utf8');
    for (const key of this.#has(name) ? this.repository.keys(name) : []) {
      for (const [id, canonical] of this.#idOf) {
        if (canonical === key.canonicalId) text = text.replaceAll(`"keyid":"${id}"`, `"keyid":"${key.id}"`);
      }
    }
    return Buffer.from(text, 'utf8');
  }

  #setKeys(role: RoleKey, keys: readonly SigningKey[], threshold: number): void {
    for (const key of keys) this.#idOf.set(key.id, key.canonicalId);
    this.#thresholds.set(nameOf(role), threshold);
    this.repository.setThreshold(nameOf(role), threshold, keys);
    this.#publish();
  }

  #publish(few?: string): void {
    this.repository.publish();
    if (few === undefined) {
      this.#record();
      return;
    }
    const name = nameOf(few);
    const signers = this.repository.keys(name).slice(0, this.#thresholds.get(name) ?? 1);
    this.repository.resign(name, () => undefined, { keys: signers });
    this.#record(name, signers);
  }

  #record(few?: string, signers: readonly SigningKey[] = []): void {
    const { repository } = this;
    this.history.push({
      files: new Map(repository.files),
      online: { snapshot: repository.keys('snapshot'), timestamp: repository.keys('timestamp') },
    });
    for (const name of repository.roleNames()) {
      const by = name === few ? signers : repository.keys(name);
      this.#recordRole(name, by);
    }
    const rights = BASE.map((name) => {
      const ids = repository.keys(name).map(({ id }) => id);
      return [name, { ids, threshold: this.#thresholds.get(name) ?? 1 }] as const;
    });
    this.roots.set(repository.version('root'), new Map(rights));
  }

  #recordRole(name: string, by: readonly SigningKey[]): void {
    const file = this.repository.files.get(name);
    if (file !== undefined && this.#recorded.get(name) === file) return;
    this.#recorded.set(name, file);
    const key = `${name}:${this.repository.version(name)}`;
    const known = this.#signed.get(key) ?? [];
    // A role that is signed again by fewer keys, or that was not signed at all this time, was recorded already.
    if (known.length > 0 && !name.includes('/')) return;
    const signed: unknown = this.repository.signed(name);
    const targets = (signed as Partial<SignedTargets> | undefined)?.targets ?? {};
    const tags = new Map(Object.entries(targets).map(([tag, { hashes }]) => [tag, toDigest(hashes.sha256)]));
    known.push({ tags, signerIds: by.map(({ id }) => id) });
    this.#signed.set(key, known);
  }

  #has(role: string): boolean {
    return this.repository.roleNames().includes(nameOf(role));
  }

  #newKey(role: string): SigningKey {
    const use = role === 'root' ? 'root' : 'other';
    // Number 0 is the stranger's.
    this.#keys[use] += 1;
    const key = pooledKey(use, this.#keys[use]);
    this.#idOf.set(key.id, key.canonicalId);
    return key;
  }

  #nextDigest(): Digest {
    this.#serial += 1;
    return `sha256:${this.#serial.toString(16).padStart(64, '0')}`;
  }
}

export function nameOf(role: string): string {
  return role === 'releases' || role === 'qa' ? `targets/${role}` : role;
}

function nameFile(files: Map<string, Uint8Array>, meta: object, name: string, bytes: Uint8Array): void {
  const described = describeFile(bytes);
  Object.assign(meta, { [name]: described });
  files.set(`${name}.${Buffer.from(described.hashes.sha256, 'base64').toString('hex')}`, bytes);
}

function toDigest(base64: string): Digest {
  return `sha256:${Buffer.from(base64, 'base64').toString('hex')}`;
}

/** Makes one repository of a given shape with the `notary` program, and changes it later. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ManagedRole, NotaryClient, type RotateOptions } from '../notary.ts';
import type { NotaryServer } from '../notary-server.ts';
import { digestOf, setStagedThreshold, stageRemovals, stageTargets, TARGET_SIZE } from './changelist.ts';
import type { Keyring } from './keyring.ts';
import { CUSTOM, type Delegation, type Entry, type Plan, planOf, rolesFor } from './plan.ts';
import type { Shape } from './shapes.ts';

type Rotation = readonly [ManagedRole, RotateOptions];

const TO_SERVER: RotateOptions = { serverManaged: true };
/** Entries that `notary addhash` stages; the rest is staged without a process for each. */
const STAGED_BY_PROGRAM = 1;
const NARROW_PATH = 'rel-';

export class Publisher {
  readonly gun: string;
  readonly shape: Shape;
  readonly #client: NotaryClient;
  readonly #keyring: Keyring;
  readonly #plan: Plan;
  #rootCertificate: string | undefined;

  static async create(server: NotaryServer, keyring: Keyring, gun: string, shape: Shape): Promise<Publisher> {
    const client = await NotaryClient.create(server, await keyring.createTrustDir());
    return new Publisher(client, keyring, gun, shape);
  }

  private constructor(client: NotaryClient, keyring: Keyring, gun: string, shape: Shape) {
    this.#client = client;
    this.#keyring = keyring;
    this.gun = gun;
    this.shape = shape;
    this.#plan = planOf(shape);
  }

  /** The key that an operator would pin: that of the first root. */
  get rootKeyId(): string {
    return this.#keyring.roots[this.shape.rootKey].canonicalId;
  }

  /** What the first resolution finds. */
  async publish(): Promise<void> {
    this.#rootCertificate = await this.#certify();
    await this.#publishPlan();
    await this.#rotate(toRotations(this.shape.rotatedBefore, this.#rootOptions()));
    await this.#tryUnverifiable();
  }

  /** What the second resolution finds. */
  async change(): Promise<void> {
    await this.#rotate(toRotations(this.shape.rotatedLater, this.#rootOptions()));
    await this.#changes[this.shape.change]();
  }

  /** One line a choice, in the order of the dimension. */
  readonly #changes: Readonly<Record<Shape['change'], () => Promise<void>>> = {
    none: async () => undefined,
    add: () => this.#addTag('v-new', 'new'),
    move: () => this.#addTag(this.#plan.entries[0]?.tag ?? 'v0', 'moved'),
    revoke: () => this.#remove(({ tag }) => tag === this.#plan.entries[0]?.tag),
    revokeAll: () => this.#remove(() => true),
    witness: () => this.#client.witness(this.gun, this.#publishedRoles()),
    narrowPaths: () => this.#narrowPaths(this.#firstSigner() ?? this.#first()),
    replaceKey: () => this.#replaceKey(this.#first()),
    removeDelegation: () => this.#client.removeDelegation(this.gun, this.#first().role),
    readdDelegation: () => this.#readd(this.#first()),
    recreate: () => this.#recreate(async () => this.#certify()),
    recreateSameRoot: () => this.#recreate(async () => this.#rootCertificate),
    delete: () => this.#run('delete', this.gun, '--remote'),
  };

  async #publishPlan(): Promise<void> {
    const { encryptedFile } = this.#keyring.roots[this.shape.rootKey];
    const certificate = this.#rootCertificate === undefined ? [] : ['--rootcert', this.#rootCertificate];
    await this.#run('init', this.gun, '--rootkey', encryptedFile, ...certificate);
    for (const delegation of this.#plan.delegations) await this.#stageDelegation(delegation);
    await this.#stage(this.#plan.entries);
    await this.#client.publish(this.gun);
    if (this.shape.snapshotKey === 'server') await this.#client.rotate(this.gun, 'snapshot', TO_SERVER);
  }

  /** Undefined: Notary makes the certificate itself. */
  async #certify(): Promise<string | undefined> {
    const root = this.#keyring.roots[this.shape.rootKey];
    if (this.shape.certificate === 'made') return undefined;
    const prefix = this.gun.slice(0, this.gun.lastIndexOf('/') + 1);
    return await root.certify(this.shape.certificate === 'own' ? this.gun : `${prefix}*`);
  }

  async #stageDelegation({ role, holders, paths, threshold }: Delegation): Promise<void> {
    const files = holders.map((holder) => this.#keyring.certificates[holder]);
    const scope = paths.includes('') ? ['--all-paths'] : paths.flatMap((path) => ['--paths', path]);
    await this.#run('delegation', 'add', this.gun, role, ...files, ...scope);
    if (threshold !== 1) await setStagedThreshold(this.#changelist, threshold);
  }

  async #stage(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries.slice(0, STAGED_BY_PROGRAM)) await this.#stageByProgram(entry);
    await stageTargets(this.#changelist, entries.slice(STAGED_BY_PROGRAM));
  }

  async #stageByProgram({ tag, role, content, hashes, custom }: Entry): Promise<void> {
    const sha256 = hashes === 'sha512' ? [] : ['--sha256', digestOf(content).toString('hex')];
    const sha512 = hashes === 'sha256' ? [] : ['--sha512', digestOf(content, 'sha512').toString('hex')];
    const file = join(this.#client.trustDir, 'custom.json');
    if (custom !== undefined) await writeFile(file, custom);
    const extra = custom === undefined ? [] : ['--custom', file];
    const roles = role === 'targets' ? [] : ['--roles', role];
    await this.#run('addhash', this.gun, tag, String(TARGET_SIZE), ...sha256, ...sha512, ...extra, ...roles);
  }

  async #rotate(rotations: readonly Rotation[]): Promise<void> {
    for (const [role, options] of rotations) await this.#client.rotate(this.gun, role, options);
  }

  #rootOptions(): RotateOptions {
    return this.shape.rootKey === 'rsa' ? { keyFile: this.#keyring.nextRsaRoot } : {};
  }

  /**
   * Custom data that is verified otherwise than it was signed: the server refuses it, and nothing changes
   * (notary-semantics.md §5.1).
   */
  async #tryUnverifiable(): Promise<void> {
    if (this.shape.custom !== 'unsorted' && this.shape.custom !== 'fraction') return;
    const custom = CUSTOM[this.shape.custom] ?? '';
    await this.#stageByProgram({
      tag: 'custom',
      role: 'targets',
      content: 'custom',
      hashes: 'sha256',
      custom,
    });
    const { status, stdout, stderr } = await this.#client.notary(['publish', this.gun]);
    if (status === 0 || !`${stdout}${stderr}`.includes('The targets metadata is invalid')) {
      throw new Error(`custom data ${custom} was not refused: ${stdout}${stderr}`);
    }
    await this.#client.reset(this.gun);
  }

  async #addTag(tag: string, content: string): Promise<void> {
    const hashes = this.shape.hashes === 'both' ? 'both' : 'sha256';
    const roles = rolesFor(this.#plan.delegations, 0, tag);
    await this.#stage(roles.map((role) => ({ tag, role, content: `${tag} ${content}`, hashes })));
    await this.#client.publish(this.gun);
  }

  async #remove(chosen: (entry: Entry) => boolean): Promise<void> {
    const [first, ...rest] = this.#plan.entries.filter(chosen);
    if (first === undefined) return;
    const roles = first.role === 'targets' ? [] : ['--roles', first.role];
    await this.#run('remove', this.gun, first.tag, ...roles);
    await stageRemovals(this.#changelist, rest);
    await this.#client.publish(this.gun);
  }

  /** Entries signed before stay in the file, outside of what the delegation may name from now on. */
  async #narrowPaths({ role }: Delegation): Promise<void> {
    await this.#run('delegation', 'remove', this.gun, role, '-y', '--all-paths');
    await this.#run('delegation', 'add', this.gun, role, '--paths', NARROW_PATH);
    await this.#client.publish(this.gun);
  }

  /** The delegation's file stays signed by a key that may not sign it any more (notary #1444). */
  async #replaceKey({ role, holders }: Delegation): Promise<void> {
    const ids = holders.map((holder) => this.#keyring.holderIds[holder]);
    await this.#run('delegation', 'add', this.gun, role, this.#keyring.certificates.cora);
    await this.#run('delegation', 'remove', this.gun, role, '-y', ...ids);
    await this.#client.publish(this.gun);
  }

  /** It stays empty: the server refuses its first version, as one with that number was published before. */
  async #readd(delegation: Delegation): Promise<void> {
    await this.#client.removeDelegation(this.gun, delegation.role);
    await this.#stageDelegation(delegation);
    await this.#client.publish(this.gun);
  }

  async #recreate(certificate: () => Promise<string | undefined>): Promise<void> {
    await this.#run('delete', this.gun, '--remote');
    this.#rootCertificate = await certificate();
    await this.#publishPlan();
  }

  /** A delegation that signed nothing has no file. */
  #publishedRoles(): readonly string[] {
    const signed = new Set(this.#plan.entries.map(({ role }) => role));
    return ['targets', ...this.#plan.delegations.map(({ role }) => role).filter((role) => signed.has(role))];
  }

  #firstSigner(): Delegation | undefined {
    return this.#plan.delegations.find(({ role }) => !role.startsWith('targets/releases'));
  }

  #first(): Delegation {
    const [first] = this.#plan.delegations;
    if (first === undefined) throw new Error(`${this.gun} has no delegation to change`);
    return first;
  }

  get #changelist(): string {
    return join(this.#client.trustDir, 'tuf', ...this.gun.split('/'), 'changelist');
  }

  async #run(...args: readonly string[]): Promise<void> {
    const { status, stdout, stderr } = await this.#client.notary(args);
    if (status !== 0) throw new Error(`notary ${args.join(' ')}\n${stdout}${stderr}`);
  }
}

function toRotations(
  choice: Shape['rotatedBefore'] | Shape['rotatedLater'],
  root: RotateOptions,
): readonly Rotation[] {
  const timestamp: Rotation = ['timestamp', TO_SERVER];
  const once: Readonly<Record<typeof choice, readonly Rotation[]>> = {
    none: [],
    targets: [['targets', {}]],
    snapshot: [['snapshot', {}]],
    snapshotToServer: [['snapshot', TO_SERVER]],
    timestamp: [timestamp],
    root: [['root', root]],
    rootSignedByOld: [['root', { ...root, legacy: 1 }]],
    all: [['root', root], ['targets', {}], ['snapshot', {}], timestamp],
    rounds: [['root', root], ['targets', {}], ['root', {}], timestamp, ['root', {}], ['snapshot', TO_SERVER]],
  };
  return once[choice];
}

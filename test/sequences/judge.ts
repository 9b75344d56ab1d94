/** Judges by the model what a pull was answered, and what is known after it. */
import { decide } from '../../proxy/policy/decide.ts';
import type { Rule, TrustOutcome } from '../../proxy/policy/types.ts';
import type { Clock } from './clock.ts';
import type { Fleet, Session } from './fleet.ts';
import { GUN } from './keys.ts';
import { comesFromBehind, Knowledge, lessThan, mustBeServed, versionOf } from './model.ts';
import type { Owner } from './owner.ts';
import type { Report } from './report.ts';
import type { Line, Server } from './server.ts';
import type { Process, Tag } from './steps.ts';

const RULE: Rule = { name: 'all', match: '**', mode: 'enforce', signers: undefined, tagList: 'signed' };
const NO_CANARY = { registry: 'none', repository: 'none', tag: 'none' };

type Failed = TrustOutcome & { kind: 'failed' };

export type Answer = {
  readonly by: Process;
  readonly tag: Tag;
  readonly session: Session;
  readonly outcome: TrustOutcome;
  /** What was known when the question began. */
  readonly known: Knowledge;
  /** A question was held meanwhile. */
  readonly isHeld: boolean;
};

export class Judge {
  readonly #owner: Owner;
  readonly #server: Server;
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #report: Report;

  constructor(owner: Owner, server: Server, fleet: Fleet, clock: Clock, report: Report) {
    this.#owner = owner;
    this.#server = server;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#report = report;
  }

  judge({ by, tag, session, outcome, known, isHeld }: Answer): void {
    const { line } = session;
    const digest = this.#decide(outcome, tag);
    this.#report.note(() => `   → ${by}: ${sayOutcome(outcome)}; tag ${tag}: ${digest ?? 'refused'}`);
    const seen = new Knowledge().merge(known);
    seen.see(line.rootsShown, this.#owner);
    // A stale answer may have been given before the newest root came; the next pull knows it.
    const less =
      outcome.kind === 'verified' && lessThan(known, outcome.trust, outcome.path === 'cold', this.#owner);
    if (less) {
      this.#report.violate('less', by, `serves less than it verified: ${less}`);
      return;
    }
    if (outcome.kind === 'verified' && digest !== undefined) {
      if (comesFromBehind(known, outcome.trust, tag, this.#owner)) {
        const what = `serves ${tag} although targets/releases, which is passed over, named it`;
        this.#report.violate('less', by, what);
        return;
      }
    }
    // A state that was taken away may be missed from then on: that is not the server's fault.
    const isHonest = !this.#server.wasForged && !isHeld && !this.#fleet.isRemoved;
    // A root that another process saved first counts as well: this one read it from the state.
    const fleet = new Knowledge().merge(seen).merge(this.#fleet.stored);
    const isDue = [seen, fleet].every((memory) => mustBeServed(memory, this.#clock.now(), this.#owner));
    const isExcused =
      outcome.kind === 'failed' &&
      (this.#looksCreatedAgain(outcome, line, seen) || this.#looksHidden(outcome));
    if (outcome.kind === 'failed' && isHonest && isDue && !isExcused) {
      this.#report.violate('refused', by, `refuses what it verified: ${sayError(outcome)}`);
      return;
    }
    if (isHonest && !isExcused && line.asked > 0 && line.current) this.#judgeCurrent(by, outcome);
    this.#remember(session, outcome);
  }

  /** Roots that a session's server showed since its last answer. */
  see({ line, known }: Session): void {
    for (const memory of [known, this.#fleet.stored]) memory.see(line.rootsShown, this.#owner);
    line.rootsShown.clear();
  }

  /** A root from before the first that was seen, by two changes of the root key or more: nothing leads from it to that. */
  #looksCreatedAgain(outcome: Failed, { rootsShown }: Line, { root }: Knowledge): boolean {
    const isStrange = (version: number) => version < root && !this.#owner.vouchesFor(version, root);
    return outcome.error.code === 'root_rotation_refused' && [...rootsShown].some(isStrange);
  }

  /** Declared again and not signed yet, it looks as if what the new key signed were hidden: until it is signed, refused. */
  #looksHidden({ error }: Failed): boolean {
    const isReleases = error.role === 'targets/releases' && this.#owner.declaredAgain.has(error.role);
    return isReleases && error.code === 'metadata_rollback';
  }

  /** I3 */
  #judgeCurrent(by: Process, outcome: TrustOutcome): void {
    const { repository } = this.#owner;
    const { expires } = repository.signed('timestamp');
    if (!(this.#clock.now() < new Date(expires))) return;
    if (outcome.kind === 'failed') {
      this.#report.violate('current', by, `refuses an honest server: ${sayError(outcome)}`);
      return;
    }
    const [got, now] = [versionOf(outcome.trust, 'timestamp'), repository.version('timestamp')];
    if (outcome.path === 'cold' && got !== now)
      this.#report.violate('current', by, `serves timestamp ${got} although the server shows ${now}`);
  }

  #remember({ known, line }: Session, outcome: TrustOutcome): void {
    const isNew = outcome.kind === 'verified' && outcome.path === 'cold';
    for (const memory of [known, ...(this.#fleet.isStored ? [this.#fleet.stored] : [])]) {
      memory.see(line.rootsShown, this.#owner);
      const learned = new Knowledge();
      if (isNew) learned.learn(outcome.trust);
      memory.merge(learned);
    }
  }

  /** What the proxy would serve for the tag. */
  #decide(outcome: TrustOutcome, tag: Tag): string | undefined {
    const decision = decide({
      rule: RULE,
      unmatched: 'deny',
      canary: NO_CANARY,
      registry: 'docker.io',
      reference: { kind: 'tag', repository: GUN.slice('docker.io/'.length), tag },
      outcome,
      now: this.#clock.now(),
    });
    if (decision.kind !== 'pin' || outcome.kind !== 'verified') return undefined;
    const { digest, role } = decision.target;
    const versions = this.#owner.signedAs(role, versionOf(outcome.trust, role));
    if (!versions.some(({ tags }) => tags.get(tag) === digest)) {
      const what = `serves ${digest} for ${tag}, which that version of ${role} does not hold`;
      this.#report.violate('less', 'A', what);
    }
    return digest.replace(/^sha256:0+/, 'digest ');
  }
}

function sayError({ error }: Failed): string {
  return `${error.code}: ${error.message}`;
}

function sayOutcome(outcome: TrustOutcome): string {
  if (outcome.kind === 'failed')
    return `${outcome.path} failed ${outcome.error.code} (${outcome.error.fault})`;
  const versions = outcome.trust.roles.map(({ role, version, skipped }) => `${role} ${skipped ?? version}`);
  return `${outcome.path} ${versions.join(', ')}`;
}

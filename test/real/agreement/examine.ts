/** One repository from first contact to the next change: resolved by us and by the real clients, and compared. */
import { createMemoryState } from '../../../proxy/cache/state/memory-state.ts';
import type { Gun } from '../../../proxy/names/reference.ts';
import { RELEASES } from '../../../proxy/trust-client/replaced.ts';
import type { RootPin } from '../../../proxy/trust-client/root-trust.ts';
import type { TrustSource, TrustState } from '../../../proxy/trust-client/types.ts';
import type { DockerClient } from '../docker.ts';
import type { NotaryServer } from '../notary-server.ts';
import { compareWithDocker } from './compare-docker.ts';
import { compareWithNotary, isUnderSigned } from './compare-notary.ts';
import { compareWithPull, readPull } from './compare-pull.ts';
import type { Findings } from './findings.ts';
import type { DifferenceName } from './known-differences.ts';
import {
  listRole,
  type NotaryView,
  type OurView,
  type Outcome,
  readDocker,
  readNotary,
  readOurs,
  readOursOffline,
} from './views.ts';

/** One Notary server as the three clients see it. */
export interface Side {
  readonly server: NotaryServer;
  readonly source: TrustSource;
  /** Keeps its state from the first to the second reading. */
  readonly docker: DockerClient;
}

export interface Subject {
  readonly gun: Gun;
  /** The shape, for a message about a difference. */
  readonly label: string;
  readonly side: Side;
  readonly pin: RootPin;
  /** Without the pin the root may not be trusted. */
  readonly needsPin: boolean;
  /** What a client with state makes of the change, where that is to refuse it. */
  readonly breaksWith?: 'recreated' | 'recreatedWithSameRoot' | 'deleted' | 'readdDelegation';
  publish(): Promise<void>;
  change(): Promise<void>;
}

/** Of single tags, at first contact and after the change: a process each. */
const LOOKUPS = 2;
const LOOKUPS_AGAIN = 1;

const FIRST_USE: RootPin = { kind: 'firstUse' };

export async function examine(subject: Subject, findings: Findings): Promise<void> {
  const state = createMemoryState();
  await subject.publish();
  const cold = await resolve(subject, state);
  const notary = await readNotary(subject.side.server, subject.gun, LOOKUPS);
  if (subject.needsPin) await requirePin(subject, findings);
  compareCold(`${subject.label} cold`, cold, notary, findings);
  await compareDocker(`${subject.label} cold`, subject, cold, notary, findings);

  await subject.change();
  const again = await resolve(subject, createMemoryState());
  const notaryAgain = await readNotary(subject.side.server, subject.gun, LOOKUPS_AGAIN);
  compareCold(`${subject.label} changed`, again, notaryAgain, findings);
  const warm = withRefused(await resolveWarm(subject, state, cold, findings), cold, notary);
  compareWarm(subject, warm, again, findings);
  await compareDocker(`${subject.label} warm`, subject, warm, notaryAgain, findings);
}

/** What `targets/releases` named at first is not looked up in `targets` while its new keys have signed nothing. */
function withRefused(
  warm: Outcome<OurView>,
  cold: Outcome<OurView>,
  notary: Outcome<NotaryView>,
): Outcome<OurView> {
  if (warm.kind === 'refused' || cold.kind === 'refused' || notary.kind === 'refused') return warm;
  if (isUnderSigned(cold.view, RELEASES) || !isUnderSigned(warm.view, RELEASES)) return warm;
  const named = [...notary.view.listed.values()].filter(({ role }) => role === RELEASES);
  const refused = named.map(({ name }) => name).filter((tag) => !warm.view.targets.has(tag));
  return { kind: 'verified', view: { ...warm.view, refused: new Set(refused) } };
}

async function resolve(
  { gun, side, pin }: Subject,
  state: TrustState,
  previous?: Outcome<OurView>,
): Promise<Outcome<OurView>> {
  const known = previous?.kind === 'verified' ? { previous: previous.view.trust } : {};
  const signal = new AbortController().signal;
  return await readOurs({ source: side.source, state }, { gun, pin, now: new Date(), signal, ...known });
}

/** As a running proxy does it, as a restarted one does it, and from what that one stored: always the same answer. */
async function resolveWarm(
  subject: Subject,
  state: TrustState,
  cold: Outcome<OurView>,
  findings: Findings,
): Promise<Outcome<OurView>> {
  const restarted = await copyState(subject.gun, state);
  const warm = await resolve(subject, state, cold);
  const afterRestart = await resolve(subject, restarted);
  if (describe(warm) !== describe(afterRestart)) {
    findings.settle(
      undefined,
      `${subject.label}: ${describe(warm)}, after a restart ${describe(afterRestart)}`,
    );
  }
  if (warm.kind === 'refused') return warm;
  const { source } = subject.side;
  const request = { gun: subject.gun, pin: subject.pin, now: new Date() };
  const offline = await readOursOffline({ source, state: restarted }, request);
  if (describe(warm) !== describe(offline)) {
    findings.settle(undefined, `${subject.label}: ${describe(warm)}, offline ${describe(offline)}`);
  }
  return warm;
}

async function copyState(gun: Gun, state: TrustState): Promise<TrustState> {
  const stored = await state.load(gun);
  return createMemoryState(stored === undefined ? [] : [[gun, stored]]);
}

async function requirePin(subject: Subject, findings: Findings): Promise<void> {
  const outcome = await resolve({ ...subject, pin: FIRST_USE }, createMemoryState());
  const isRefused = outcome.kind === 'refused' && outcome.why.startsWith('key_not_pinned');
  findings.settle(
    isRefused ? 'wildcard root' : undefined,
    `${subject.label} at first use: ${describe(outcome)}`,
  );
}

function compareCold(
  label: string,
  ours: Outcome<OurView>,
  notary: Outcome<NotaryView>,
  findings: Findings,
): void {
  if (ours.kind === 'verified' && notary.kind === 'verified') {
    compareWithNotary(label, ours.view, notary.view, findings);
  } else if (ours.kind !== notary.kind || !isGone(ours)) {
    findings.settle(undefined, `${label}: ours ${describe(ours)}, notary ${explain(notary)}`);
  }
}

/** The only reason for which a client without state may refuse an honest repository. */
function isGone(ours: Outcome<OurView>): boolean {
  return ours.kind === 'refused' && ours.why.startsWith('no_trust_data');
}

/** With state and without it we say the same, unless the repository, or a signer, was made anew in between. */
function compareWarm(
  { label, breaksWith }: Subject,
  warm: Outcome<OurView>,
  cold: Outcome<OurView>,
  findings: Findings,
): void {
  if (describe(warm) === describe(cold)) return;
  if (warm.kind === 'verified' && describe(warm) === describe(without(cold, warm.view.refused))) {
    findings.explain('delegation keys replaced');
    return;
  }
  const wasMadeAnew = breaksWith === 'recreated' || breaksWith === 'recreatedWithSameRoot';
  const isRefused = warm.kind === 'refused' && /^(root_rotation_refused|metadata_rollback)/.test(warm.why);
  const isHidden = breaksWith === 'readdDelegation' && isRefused;
  findings.settle(
    wasMadeAnew && isRefused ? 'recreated repository' : isHidden ? 'signer declared again' : undefined,
    `${label}: warm ${describe(warm)}, cold ${describe(cold)}`,
  );
}

function without(ours: Outcome<OurView>, tags: ReadonlySet<string> = new Set()): Outcome<OurView> {
  if (ours.kind === 'refused') return ours;
  const targets = new Map([...ours.view.targets].filter(([tag]) => !tags.has(tag)));
  return { kind: 'verified', view: { ...ours.view, targets } };
}

async function compareDocker(
  label: string,
  { gun, side, breaksWith }: Subject,
  ours: Outcome<OurView>,
  notary: Outcome<NotaryView>,
  findings: Findings,
): Promise<void> {
  const docker = await readDocker(side.docker, gun);
  if (ours.kind === 'verified' && docker.kind === 'verified' && notary.kind === 'verified') {
    const evidence = {
      inspected: docker.view,
      notary: notary.view,
      listRole: createRoleLister(side.server, gun),
      inspectTag: async (tag: string) => {
        const outcome = await readDocker(side.docker, `${gun}:${tag}`);
        return outcome.kind === 'verified' ? outcome.view.SignedTags : [];
      },
    };
    await compareWithDocker(label, ours.view, evidence, findings);
    const pull = (tag: string) => readPull(side.docker, `${gun}:${tag}`);
    await compareWithPull(label, ours.view, notary.view, pull, findings);
  } else if (ours.kind !== docker.kind) {
    findings.settle(
      ours.kind === 'refused' ? STRICTER.get(breaksWith ?? '') : undefined,
      `${label}: ours ${describe(ours)}, docker ${explain(docker)}`,
    );
  }
}

/** Asks for each role once. */
function createRoleLister(server: NotaryServer, gun: Gun): (role: string) => ReturnType<typeof listRole> {
  const lists = new Map<string, ReturnType<typeof listRole>>();
  return (role) => {
    const list = lists.get(role) ?? listRole(server, gun, role);
    lists.set(role, list);
    return list;
  };
}

/** Where a docker that knew the repository accepts the change and we do not. */
const STRICTER = new Map<string, DifferenceName>([
  ['recreatedWithSameRoot', 'same root version'],
  ['deleted', 'cached after 404'],
  ['readdDelegation', 'signer declared again'],
]);

function describe(ours: Outcome<OurView>): string {
  return ours.kind === 'refused' ? ours.why : JSON.stringify([...ours.view.targets.values()]);
}

function explain(outcome: Outcome<unknown>): string {
  return outcome.kind === 'refused' ? `refuses: ${outcome.why}` : 'verified';
}

/** Who asks: every credential that is not quite the right one, and the right ones. */
import { toBasic } from '../http.ts';
import { LEEWAY_SECONDS } from './token-server.ts';
import { PRIVATE, SHARED, type World } from './world.ts';

export interface Caller {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Repositories whose content is for this caller. */
  readonly reads: readonly string[];
}

/** Fresh tokens for all of them. */
export async function createCallers({ tokens, alice, bob }: World): Promise<readonly Caller[]> {
  const both = [PRIVATE, SHARED];
  const [hers, again] = [await tokens.tokenFor(alice, both), await tokens.tokenFor(alice, both)];
  const his = await tokens.tokenFor(bob, both);
  const callers: [name: string, authorization: string | undefined, reads?: readonly string[]][] = [
    ['alice', `Bearer ${hers}`, both],
    ['alice with another token', `Bearer ${again}`, both],
    ['bob', `Bearer ${his}`, [SHARED]],
    ['bob with a token for the private repository', `Bearer ${await tokens.tokenFor(bob, [PRIVATE])}`],
    [
      'alice with a token for the shared repository',
      `Bearer ${await tokens.tokenFor(alice, [SHARED])}`,
      [SHARED],
    ],
    ['nobody', undefined],
    ['an empty header', ''],
    ['alice with a token that expired', `Bearer ${await expired()}`],
    ["alice's token with one character of its signature changed", `Bearer ${withOtherSignature(hers)}`],
    ["alice's token with another end of its signature", `Bearer ${withOtherEnd(hers)}`],
    ["alice's token without the end of its signature", `Bearer ${hers.slice(0, -8)}`],
    ["alice's claims under another key", `Bearer ${tokens.forge(hers, 'other key')}`],
    ["alice's claims under no key", `Bearer ${tokens.forge(hers, 'no algorithm')}`],
    ["bob's claims under alice's signature", `Bearer ${his.replace(/[^.]+$/, hers.split('.')[2] ?? '')}`],
    ["alice's password, which is for the token server", toBasic(alice)],
    ["bob's password", toBasic(bob)],
    ["alice's token as Basic", `Basic ${hers}`],
    ['garbage', 'Bearer x.y.z'],
  ];
  return callers.map(([name, authorization, reads = []]) => ({
    name,
    headers: authorization === undefined ? {} : { authorization },
    reads,
  }));

  async function expired(): Promise<string> {
    const { lifetimeSeconds } = tokens;
    tokens.lifetimeSeconds = -LEEWAY_SECONDS - 1;
    const token = await tokens.tokenFor(alice, both);
    tokens.lifetimeSeconds = lifetimeSeconds;
    return token;
  }
}

function withOtherEnd(token: string): string {
  return `${token.slice(0, -4)}${token.endsWith('AAAA') ? 'QQQQ' : 'AAAA'}`;
}

/** In the middle, where every bit of a character counts. */
function withOtherSignature(token: string): string {
  const at = token.length - 40;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

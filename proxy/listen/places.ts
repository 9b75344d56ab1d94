/**
 * Places on the pull port, shared out so that no client takes all of them.
 *
 * One rule, without a number of clients in it: a client may hold three times as many places as are free. Alone it
 * gets three quarters, which is enough for a balancer with everybody behind it; two that take all they can get three
 * sevenths each; and a place stays free for one more client however many there are.
 */
import { toClientKey } from '../names/client-key.ts';

/** How many times the free places one client may hold. */
const TIMES_FREE = 3;
/** Of the free places, what one client gets for connections on which it is only told that it holds too many. */
const TOLD_PART = 1 / 16;
/** With fewer free places than this part of all, idle ones are taken back. */
const SCARCE_PART = 1 / 16;
/** A place counts as idle after this time without a request: a new connection has yet to send one, in milliseconds. */
const IDLE_MS = 1_000;

/** `told`: its client holds too many, and has to be told so. */
export type Admission = 'admitted' | 'told' | 'refused';

export type PlacesOptions = {
  readonly max: number;
  readonly now?: () => number;
};

type Client = { readonly idle: Map<Place, number>; held: number; told: number };

/** One connection's place. */
export type Place = {
  readonly admission: Admission;
  /** Requests under way: it is not idle. */
  begin(): void;
  end(): void;
  leave(): void;
};

export type Places = {
  readonly taken: () => number;
  /** @param evict ends the connection, when it is idle and in the way. */
  take(address: string | undefined, evict?: () => void): Place;
};

export function createPlaces({ max, now = () => performance.now() }: PlacesOptions): Places {
  const clients = new Map<string, Client>();
  const evictions = new Map<Place, () => void>();
  let taken = 0;

  const judge = ({ held, told }: Client): Admission => {
    const free = max - taken;
    if (free <= 0) return 'refused';
    if (held < free * TIMES_FREE) return 'admitted';
    return told < free * TOLD_PART ? 'told' : 'refused';
  };
  const relieve = (): void => {
    if (max - taken >= max * SCARCE_PART) return;
    const greediest = [...clients.values()].reduce((most, next) => (next.held > most.held ? next : most));
    const [oldest, since] = greediest.idle.entries().next().value ?? [];
    if (oldest === undefined || since === undefined || now() - since < IDLE_MS) return;
    const evict = evictions.get(oldest);
    oldest.leave();
    evict?.();
  };
  return {
    taken: () => taken,
    take(address, evict) {
      const key = toClientKey(address);
      const client = clients.get(key) ?? { idle: new Map(), held: 0, told: 0 };
      const admission = judge(client);
      let requests = 0;
      let isTaken = admission !== 'refused';
      const place: Place = {
        admission,
        begin() {
          requests += 1;
          client.idle.delete(place);
        },
        end() {
          requests -= 1;
          if (requests === 0 && isTaken && evict !== undefined) client.idle.set(place, now());
        },
        leave() {
          if (!isTaken) return;
          isTaken = false;
          taken -= 1;
          client[admission === 'told' ? 'told' : 'held'] -= 1;
          client.idle.delete(place);
          evictions.delete(place);
          if (client.held + client.told === 0) clients.delete(key);
        },
      };
      if (!isTaken) return place;
      clients.set(key, client);
      taken += 1;
      client[admission === 'told' ? 'told' : 'held'] += 1;
      if (evict !== undefined) {
        evictions.set(place, evict);
        client.idle.set(place, now());
      }
      relieve();
      return place;
    },
  };
}

/** Who gets one of the places on the pull port. */
import { expect, test } from '@jest/globals';
import { createPlaces, type Place } from '../../proxy/listen/places.ts';

function takeAll(places: ReturnType<typeof createPlaces>, address: string): readonly Place[] {
  const taken: Place[] = [];
  for (;;) {
    const place = places.take(address);
    if (place.admission !== 'admitted') {
      place.leave();
      return taken;
    }
    taken.push(place);
  }
}

test('one client alone gets three quarters, the next one three quarters of the rest', () => {
  const places = createPlaces({ max: 1600 });
  expect(takeAll(places, '10.0.0.1')).toHaveLength(1200);
  expect(takeAll(places, '10.0.0.2')).toHaveLength(300);
  expect(takeAll(places, '10.0.0.3')).toHaveLength(75);
});

test('all addresses of a /64 are one client', () => {
  const places = createPlaces({ max: 1600 });
  takeAll(places, '2001:db8::1');
  expect(places.take('2001:db8::2').admission).toBe('told');
  expect(places.take('2001:db8:0:1::1').admission).toBe('admitted');
});

test('few are told that there are too many, the rest are refused', () => {
  const places = createPlaces({ max: 1600 });
  takeAll(places, '10.0.0.1');
  const later = Array.from({ length: 100 }, () => places.take('10.0.0.1').admission);
  expect(later.filter((admission) => admission === 'told').length).toBe(24);
  expect(later.at(-1)).toBe('refused');
  expect(places.take('10.0.0.2').admission).toBe('admitted');
});

test('what is left is there again, once', () => {
  const places = createPlaces({ max: 4 });
  const taken = takeAll(places, '10.0.0.1');
  for (const place of taken) {
    place.leave();
    place.leave();
  }
  expect(places.taken()).toBe(0);
  expect(takeAll(places, '10.0.0.1')).toHaveLength(3);
});

test('when places are scarce, the greediest client loses its oldest idle one, never one with a request', () => {
  let now = 0;
  const places = createPlaces({ max: 64, now: () => now });
  const evicted: string[] = [];
  const take = (address: string, name: string) => places.take(address, () => evicted.push(name));
  const busy = take('10.0.0.1', 'busy');
  busy.begin();
  take('10.0.0.1', 'oldest');
  take('10.0.0.1', 'next');
  for (let count = 3; count < 48; count += 1) take('10.0.0.1', 'later');
  for (let count = 0; count < 12; count += 1) take('10.0.0.2', 'other');
  expect(places.taken()).toBe(60);
  take('10.0.0.3', 'new');
  // Connections of this moment have yet to send their request.
  expect(evicted).toEqual([]);
  now = 2_000;
  take('10.0.0.4', 'new');
  take('10.0.0.5', 'new');
  expect(evicted).toEqual(['oldest', 'next']);
  busy.end();
  busy.leave();
});

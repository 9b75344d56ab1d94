import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { toCanaryTextfile } from '../../proxy/telemetry/canary-textfile.ts';
import { AT } from './fixtures.ts';

const HELD = `# HELP pullwarden_canary_held 1 when the last pull of the canary showed that the client is held, else 0.
# TYPE pullwarden_canary_held gauge
pullwarden_canary_held{client="docker"} 1

# HELP pullwarden_canary_result 1 for what the last pull of the canary came to.
# TYPE pullwarden_canary_result gauge
pullwarden_canary_result{client="docker",result="held"} 1
pullwarden_canary_result{client="docker",result="hole"} 0
pullwarden_canary_result{client="docker",result="unproved"} 0

# HELP pullwarden_canary_timestamp_seconds When the canary was last pulled, as Unix time.
# TYPE pullwarden_canary_timestamp_seconds gauge
pullwarden_canary_timestamp_seconds{client="docker"} ${AT.getTime() / 1000}
`;

test('the file has each metric with its help and type', async () => {
  expect(await toCanaryTextfile({ client: 'docker', result: 'held', at: AT })).toBe(HELD);
});

test.each(['hole', 'unproved'] as const)('after %s the client is not held', async (result) => {
  const text = await toCanaryTextfile({ client: 'ctr', result, at: AT });
  expect(text).toContain('pullwarden_canary_held{client="ctr"} 0\n');
  expect(text).toContain(`pullwarden_canary_result{client="ctr",result="${result}"} 1\n`);
});

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
(hasPromtool ? test : test.skip)('promtool finds no fault with it', () => {
  const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: HELD, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

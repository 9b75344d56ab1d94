import { describe, expect, test } from '@jest/globals';
import { resultOf } from '../../proxy/reason.ts';
import { createRecorder, type DecisionMetrics, toLogFields } from '../../proxy/telemetry/decisions.ts';
import type { Log } from '../../proxy/telemetry/log.ts';
import { AT, DIGEST, decisionRecord } from './fixtures.ts';

type Line = { readonly level: string; readonly fields: object; readonly message: string };

function recordingLog(lines: Line[]): Log {
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message });
  const log: Log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => log,
  };
  return log;
}

function countingMetrics(): DecisionMetrics & { readonly dropped: string[]; count: number } {
  const metrics = {
    count: 0,
    dropped: [] as string[],
    decision: () => void metrics.count++,
    recordDropped: (sink: string) => void metrics.dropped.push(sink),
  };
  return metrics;
}

const fail = (): never => {
  throw new Error('sink is broken');
};

describe('a decision', () => {
  test('is counted, kept and logged in one line', () => {
    const lines: Line[] = [];
    const metrics = countingMetrics();
    const recorder = createRecorder({
      metrics,
      log: recordingLog(lines),
      ringSize: 5,
      policyHash: () => 'h1',
    });
    const record = decisionRecord();
    recorder.record(record);
    expect(metrics.count).toBe(1);
    expect(recorder.recent()).toEqual([record]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'info', message: 'decision', fields: { policy_hash: 'h1' } });
  });

  test('that refuses is a warning, and one that could not be taken is an error', () => {
    const lines: Line[] = [];
    const recorder = createRecorder({ metrics: countingMetrics(), log: recordingLog(lines), ringSize: 1 });
    recorder.record(decisionRecord({ result: 'deny', reason: 'unsigned_tag' }));
    recorder.record(decisionRecord({ result: 'error', reason: 'trust_unreachable' }));
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'error']);
  });

  test('is logged under the field names of peers.md §9.5', () => {
    const fields = toLogFields(
      decisionRecord({
        signers: ['jeff'],
        versions: [
          { role: 'root', version: 2 },
          { role: 'targets/jeff', version: 5 },
        ],
        expires: AT,
        durationMs: 1.23456,
      }),
      'h1',
    );
    expect(JSON.parse(JSON.stringify(fields))).toEqual({
      request_id: 'req-1',
      ns: 'docker.io',
      repo: 'library/alpine',
      ref: '3.20',
      ref_kind: 'tag',
      digest: DIGEST,
      gun: 'docker.io/library/alpine',
      rule: 'base-images',
      mode: 'enforce',
      result: 'allow',
      reason: 'signed',
      signer: ['jeff'],
      versions: { root: 2, 'targets/jeff': 5 },
      expires: '2026-11-21T12:00:00.000Z',
      cache: 'cache',
      duration_ms: 1.235,
      policy_hash: 'h1',
      client: '192.0.2.7',
    });
  });
});

describe('a sink that throws', () => {
  test('never fails the pull, is counted, and leaves the others their record', () => {
    const lines: Line[] = [];
    const metrics = { ...countingMetrics(), decision: fail };
    const recorder = createRecorder({ metrics, log: recordingLog(lines), ringSize: 5 });
    recorder.record(decisionRecord());
    expect(metrics.dropped).toEqual(['metrics']);
    expect(lines).toHaveLength(1);
    expect(recorder.recent()).toHaveLength(1);
  });

  test('in the log is counted too', () => {
    const metrics = countingMetrics();
    const recorder = createRecorder({ metrics, log: { ...recordingLog([]), info: fail }, ringSize: 5 });
    recorder.record(decisionRecord());
    expect(metrics.dropped).toEqual(['log']);
  });

  test('does not throw even when counting fails', () => {
    const metrics: DecisionMetrics = { decision: fail, recordDropped: fail };
    const recorder = createRecorder({ metrics, log: { ...recordingLog([]), info: fail }, ringSize: 5 });
    expect(() => recorder.record(decisionRecord())).not.toThrow();
  });

  test('because a date is invalid is not noticed by the caller', () => {
    const recorder = createRecorder({ metrics: countingMetrics(), log: recordingLog([]), ringSize: 5 });
    expect(() => recorder.record(decisionRecord({ expires: new Date(Number.NaN) }))).not.toThrow();
  });
});

describe('the ring', () => {
  test('keeps the newest decisions, newest first', () => {
    const recorder = createRecorder({ metrics: countingMetrics(), log: recordingLog([]), ringSize: 3 });
    for (const requestId of ['1', '2', '3', '4', '5']) recorder.record(decisionRecord({ requestId }));
    expect(recorder.recent().map(({ requestId }) => requestId)).toEqual(['5', '4', '3']);
  });

  test('of size 0 keeps none', () => {
    const recorder = createRecorder({ metrics: countingMetrics(), log: recordingLog([]), ringSize: 0 });
    recorder.record(decisionRecord());
    expect(recorder.recent()).toEqual([]);
  });
});

test('only what is about us and our dependencies counts against availability (peers.md §9.3)', () => {
  expect(resultOf('trust_unreachable')).toBe('error');
  expect(resultOf('registry_unreachable')).toBe('error');
  expect(resultOf('deadline_exceeded')).toBe('error');
  expect(resultOf('internal')).toBe('error');
  expect(resultOf('unsigned_tag')).toBe('deny');
  expect(resultOf('audit')).toBe('allow');
});

import { expect, it } from 'vitest'
import { TimelineRecorder } from '../../src/state/timeline.ts'

it('a timeline tells when each state was entered and left, and what was said in it', () => {
  let nowMs = 500
  const lags = [0, 3, 1]
  const recorder = new TimelineRecorder({ now: () => nowMs, startedMs: 500, takeLoopLag: () => lags.shift() ?? 0 })
  nowMs += 1
  recorder.begin(250)
  recorder.enter('Dialing')
  nowMs += 10
  recorder.enter('AwaitingReady')
  recorder.note('sent', 'StartupMessage', 40)
  nowMs += 2
  recorder.note('received', 'ParameterStatus', 20)
  nowMs += 1
  recorder.enter('AwaitingReady')
  recorder.note('received', 'ParameterStatus', 25)
  recorder.note('received', 'NoticeResponse', 30)
  recorder.note('received', 'ParameterStatus', 5)
  nowMs += 3

  const timeline = recorder.finish()
  expect(timeline).toEqual([
    expect.objectContaining({
      state: 'Disconnected',
      enteredMs: 0,
      leftMs: 1,
      loopLagMs: 0,
      awaited: null,
      messages: [],
    }),
    expect.objectContaining({ state: 'Dialing', enteredMs: 1, leftMs: 11, bytesSent: 0, bytesReceived: 0 }),
    {
      attempt: 0,
      state: 'AwaitingReady',
      enteredMs: 11,
      leftMs: 17,
      awaited: expect.stringContaining('backend'),
      sliceMs: 250,
      loopLagMs: 1,
      bytesSent: 40,
      bytesReceived: 80,
      messages: [
        { direction: 'sent', name: 'StartupMessage', count: 1, bytes: 40, atMs: 11 },
        { direction: 'received', name: 'ParameterStatus', count: 2, bytes: 45, atMs: 13 },
        { direction: 'received', name: 'NoticeResponse', count: 1, bytes: 30, atMs: 14 },
        { direction: 'received', name: 'ParameterStatus', count: 1, bytes: 5, atMs: 14 },
      ],
    },
  ])
})

it('a timeline of several attempts tells which is which, and what each was given', () => {
  let nowMs = 0
  const recorder = new TimelineRecorder({ now: () => nowMs, startedMs: 0, takeLoopLag: () => 0 })
  recorder.begin(100)
  nowMs += 5
  recorder.enter('Dialing')
  nowMs += 5
  recorder.begin(95)
  recorder.enter('Dialing')
  expect(
    recorder.finish().map(({ attempt, state, enteredMs, sliceMs }) => [attempt, state, enteredMs, sliceMs]),
  ).toEqual([
    [0, 'Disconnected', 0, 100],
    [0, 'Dialing', 5, 100],
    [1, 'Disconnected', 10, 95],
    [1, 'Dialing', 10, 95],
  ])
})

it('a timeline that is finished twice keeps the longest lag of the state it ends in', () => {
  const lags = [40, 2]
  const recorder = new TimelineRecorder({ now: () => 0, startedMs: 0, takeLoopLag: () => lags.shift() ?? 0 })
  recorder.begin(100)
  recorder.finish()
  expect(recorder.finish()).toMatchObject([{ loopLagMs: 40 }])
})

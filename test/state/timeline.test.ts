import { expect, it } from 'vitest'
import { TimelineRecorder } from '../../src/state/timeline.ts'

it('a timeline tells when each state was entered and left, and what was said in it', () => {
  let nowMs = 500
  const recorder = new TimelineRecorder(() => nowMs, 'Disconnected')
  nowMs += 1
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
    expect.objectContaining({ state: 'Disconnected', enteredMs: 0, leftMs: 1, awaited: null, messages: [] }),
    expect.objectContaining({ state: 'Dialing', enteredMs: 1, leftMs: 11, bytesSent: 0, bytesReceived: 0 }),
    {
      state: 'AwaitingReady',
      enteredMs: 11,
      leftMs: 17,
      awaited: expect.stringContaining('backend'),
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

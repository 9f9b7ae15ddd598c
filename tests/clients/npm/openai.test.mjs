// OpenAI's own package against infer serve, whose address is in NORMSWAP_URL.
import assert from 'node:assert/strict'
import {test} from 'node:test'
import OpenAI from 'openai'

const url = process.env.NORMSWAP_URL
const client = new OpenAI({baseURL: url + '/v1', apiKey: 'any', maxRetries: 0})
const model = 'tales'
const king = 'Once upon a time there was a king who had three'
const messages = [{role: 'user', content: 'Tell me of a king.'}]

test('models', async () => {
  const ids = []
  for await (const m of client.models.list()) ids.push(m.id)
  assert.deepEqual(ids, ['tales', 'tales:rms-folded', 'tales:rms-naive'])
  assert.equal((await client.models.retrieve('tales:rms-naive')).id, 'tales:rms-naive')
})

test('completions, whole and streamed', async () => {
  const ask = {model, prompt: king, max_tokens: 12, temperature: 0, logprobs: 2, echo: true}
  const whole = await client.completions.create(ask)
  const {text, logprobs, finish_reason} = whole.choices[0]
  assert.ok(text.startsWith(king + ' sons'), text)
  assert.equal(finish_reason, 'length')
  assert.equal(logprobs.tokens.join(''), text)
  assert.equal(logprobs.token_logprobs[0], null)
  assert.equal(whole.usage.completion_tokens, 12)
  let streamed = ''
  for await (const part of await client.completions.create({...ask, stream: true})) streamed += part.choices[0]?.text ?? ''
  assert.equal(streamed, text)
  const folded = await client.completions.create({...ask, model: 'tales:rms-folded'})
  assert.equal(folded.choices[0].text, text)
})

test('chat, whole and streamed', async () => {
  const ask = {model, messages, max_completion_tokens: 12, temperature: 0}
  const whole = await client.chat.completions.create({...ask, logprobs: true, top_logprobs: 3})
  const {message, logprobs} = whole.choices[0]
  assert.equal(message.role, 'assistant')
  assert.equal(logprobs.content.map(c => c.token).join('').trim(), message.content.trim())
  assert.equal(logprobs.content[0].top_logprobs.length, 3)
  let streamed = '', usage
  for await (const part of await client.chat.completions.create({...ask, stream: true, stream_options: {include_usage: true}})) {
    streamed += part.choices[0]?.delta.content ?? ''
    usage = part.usage ?? usage
  }
  assert.equal(streamed, message.content)
  assert.equal(usage.total_tokens, whole.usage.total_tokens)
  const helper = client.chat.completions.stream(ask)
  assert.equal((await helper.finalChatCompletion()).choices[0].message.content, message.content)
})

test('tools are passed on, and what the model answers stays text', async () => {
  const tools = [{type: 'function', function: {name: 'add', parameters: {type: 'object', properties: {a: {type: 'integer'}}}}}]
  const {choices} = await client.chat.completions.create({model, messages, tools, max_tokens: 3})
  assert.equal(choices[0].message.tool_calls, undefined)
  await assert.rejects(client.chat.completions.create({model, messages, tools, tool_choice: 'required'}),
    e => e instanceof OpenAI.BadRequestError && e.param === 'tool_choice')
})

test('embeddings', async () => {
  const {data} = await client.embeddings.create({model, input: ['a king', 'a queen']}) // as base64
  const floats = await client.embeddings.create({model, input: ['a king', 'a queen'], encoding_format: 'float'})
  assert.deepEqual(data[1].embedding.map(x => Math.fround(x)), floats.data[1].embedding.map(x => Math.fround(x)))
  const length = Math.hypot(...data[0].embedding)
  assert.ok(Math.abs(length - 1) < 1e-5, `length ${length}`)
})

test('errors', async () => {
  await assert.rejects(client.completions.create({model: 'gpt-4', prompt: king}),
    e => e instanceof OpenAI.NotFoundError && e.code === 'model_not_found' && e.message.includes('tales:rms-naive'))
  await assert.rejects(client.completions.create({model, prompt: king, temperature: -1}), e => e instanceof OpenAI.BadRequestError && e.message.includes('temperature'))
  await assert.rejects(client.completions.create({model, prompt: Array(5000).fill(1)}), e => e.status === 400 && e.code === 'context_length_exceeded')
  const locked = new OpenAI({baseURL: process.env.NORMSWAP_LOCKED_URL + '/v1', apiKey: 'wrong', maxRetries: 0})
  await assert.rejects(locked.models.list(), e => e instanceof OpenAI.AuthenticationError && e.code === 'invalid_api_key')
})

test('a request that is cancelled frees its session', async () => {
  const control = new AbortController()
  const stream = await client.completions.create({model, prompt: king, max_tokens: 400, temperature: 1, stream: true, ignore_eos: true}, {signal: control.signal})
  let parts = 0
  for await (const part of stream) {
    assert.equal(part.object, 'text_completion')
    if (++parts === 3) control.abort()
  }
  for (const start = Date.now(); ;) {
    const metrics = await (await fetch(url + '/metrics')).text()
    if (/^infer_sessions_busy 0$/m.test(metrics)) break
    assert.ok(Date.now() - start < 10000, metrics)
  }
})

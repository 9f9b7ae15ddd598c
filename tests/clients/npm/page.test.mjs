// The page of infer serve in Chromium, whose path is in NORMSWAP_CHROMIUM. With
// NORMSWAP_SCREENSHOT it leaves a picture there.
import assert from 'node:assert/strict'
import {after, before, test} from 'node:test'
import puppeteer from 'puppeteer-core'

let browser, page
const failures = []

before(async () => {
  browser = await puppeteer.launch({executablePath: process.env.NORMSWAP_CHROMIUM, args: ['--no-sandbox', '--disable-gpu']})
  page = await browser.newPage()
  page.on('pageerror', e => failures.push(e.message))
  page.on('console', m => m.type() === 'error' && failures.push(m.text()))
  await page.setViewport({width: 1000, height: 640})
  await page.goto(process.env.NORMSWAP_URL)
})
after(() => browser?.close())

const text = id => page.$eval(id, e => e.textContent)
const set = (id, value) => page.$eval(id, (e, v) => { e.value = v }, String(value))

test('it lists the norms', async () => {
  await page.waitForFunction(() => document.querySelector('#model1').options.length === 3)
  assert.equal(await page.$eval('#model0', e => e.value), 'tales')
  assert.equal(await page.$eval('#model1', e => e.value), 'tales:rms-naive')
})

test('two norms stream side by side, and what differs is marked', async () => {
  await set('#tokens', 120)
  const seen = []
  await page.exposeFunction('seen', n => seen.push(n))
  await page.evaluate(() => new MutationObserver(() => seen(document.querySelector('#out0').textContent.length)).observe(document.querySelector('#out0'), {childList: true, subtree: true, characterData: true}))
  await page.click('#go')
  await page.waitForFunction(() => !document.querySelector('#go').disabled, {timeout: 60000})
  const [left, right] = [await text('#out0'), await text('#out1')]
  assert.ok(new Set(seen).size > 10, `the text came in ${new Set(seen).size} steps`)
  for (const [model, shown] of [['tales', left], ['tales:rms-naive', right]]) {
    const answer = await fetch(process.env.NORMSWAP_URL + '/v1/completions', {method: 'POST',
      body: JSON.stringify({model, prompt: await page.$eval('#prompt', e => e.value), max_tokens: 120, temperature: 0})})
    assert.equal(shown, (await answer.json()).choices[0].text)
  }
  const marked = (await page.$$('.differs')).length
  assert.equal(marked > 0, left !== right)
  if (process.env.NORMSWAP_SCREENSHOT) await page.screenshot({path: process.env.NORMSWAP_SCREENSHOT, fullPage: true})
})

test('the same norms give the same text', async () => {
  await page.select('#model1', 'tales:rms-folded')
  await page.click('#go')
  await page.waitForFunction(() => !document.querySelector('#go').disabled, {timeout: 60000})
  assert.equal(await text('#out1'), await text('#out0'))
  assert.equal((await page.$$('.differs')).length, 0)
})

test('Stop stops', async () => {
  await set('#tokens', 4096)
  await set('#temperature', 1)
  await page.click('#go')
  await page.waitForFunction(() => document.querySelector('#out0').textContent.length > 20)
  await page.click('#stop')
  await page.waitForFunction(() => !document.querySelector('#go').disabled, {timeout: 5000})
})

test('an error is shown', async () => {
  await set('#temperature', 0)
  await page.$eval('#tokens', e => { e.removeAttribute('min'); e.value = -1 })
  await page.click('#go')
  await page.waitForFunction(() => document.querySelector('#out0').textContent.includes('max_tokens'), {timeout: 5000})
})

test('nothing is wider than a phone', async () => {
  await page.setViewport({width: 360, height: 740})
  const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
  assert.ok(width <= room, `${width} of ${room} pixels`)
})

test('a server with a key asks for it', async () => {
  const other = await browser.newPage()
  await other.goto(process.env.NORMSWAP_LOCKED_URL)
  await other.waitForSelector('#key', {visible: true})
  await other.type('#key', 'secret')
  await other.$eval('#tokens', e => { e.value = 3 })
  await other.click('#go')
  await other.waitForFunction(() => document.querySelector('#out1').textContent.length > 3)
  assert.equal(await page.$eval('#locked', e => e.hidden), true)
})

test('the script had no errors', () => assert.deepEqual(failures.filter(f => !f.includes('400')), []))

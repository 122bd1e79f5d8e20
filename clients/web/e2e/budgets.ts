import type { Scenario } from './desk'

/** Figures to read beside the budget of 20 ms a frame; a shared machine is too noisy to judge by. */
export const budgets: Scenario[] = [
  {
    name: 'budget: pan and zoom over 10,000 processes',
    path: '/many/#/processes?o.unconnected=show',
    run: async (desk) => {
      await desk.live()
      await desk.waitForScene('processes')
      await desk.page.waitForTimeout(1000)
      const result = await desk.page.evaluate(async () => {
        const map = window.weftMap!
        const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve))
        const measure = async (step: (i: number) => void) => {
          const times: number[] = []
          map.frameTimes.length = 0
          let last = await frame()
          for (let i = 0; i < 60; i++) {
            step(i)
            map.request()
            const now = await frame()
            times.push(now - last)
            last = now
          }
          times.sort((a, b) => a - b)
          const script = [...map.frameTimes].sort((a, b) => a - b)
          return {
            mean: times.reduce((sum, time) => sum + time, 0) / times.length,
            p95: times[Math.floor(times.length * 0.95)],
            script: script[Math.floor(script.length / 2)],
          }
        }
        const far = await measure((i) => {
          map.camera = { ...map.camera, x: map.camera.x + (i < 30 ? 6 : -6) }
        })
        const zoom = await measure(
          (i) => (map.camera = { ...map.camera, scale: map.camera.scale * (i < 30 ? 1.04 : 1 / 1.04) }),
        )
        map.camera = { scale: 0.6, x: -map.scene!.x[3000] * 0.6 + 500, y: -map.scene!.y[3000] * 0.6 + 400 }
        const near = await measure((i) => {
          map.camera = { ...map.camera, x: map.camera.x + (i < 30 ? 6 : -6) }
        })
        return { far, zoom, near }
      })
      for (const [name, times] of Object.entries(result)) {
        console.log(
          `      ${name}: ${times.mean.toFixed(1)} ms mean, ${times.p95.toFixed(1)} ms p95, ${times.script.toFixed(1)} ms script`,
        )
      }
    },
  },
]

// A mail server that takes mail of whoever knows the password, without TLS, and shows over HTTP what it took.
// Usage: node smtp.mjs PORT HTTP_PORT
import { createServer } from 'node:http'
import { SMTPServer } from 'smtp-server'

const [port, httpPort] = process.argv.slice(2).map(Number)
const mails = []

const server = new SMTPServer({
  allowInsecureAuth: true,
  hideSTARTTLS: true,
  authMethods: ['PLAIN', 'LOGIN'],
  onAuth({ username, password }, _, callback) {
    if (username === 'test' && password === 'testtest') return callback(null, { user: username })
    callback(new Error('wrong name or password'))
  },
  onData(stream, session, callback) {
    let text = ''
    stream.on('data', (chunk) => {
      text += chunk
    })
    stream.on('end', () => {
      mails.push({ to: session.envelope.rcptTo.map((to) => to.address), text })
      callback()
    })
  },
})
server.listen(port, '127.0.0.1')

createServer((_, answer) => {
  answer.setHeader('content-type', 'application/json')
  answer.end(JSON.stringify(mails))
}).listen(httpPort, '127.0.0.1')

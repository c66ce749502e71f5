/**
 * Texts of the kinds that requests consist of, about 4,000 characters each, and the megabytes that an estimator must
 * not be slow on. The same in every run.
 */
import { PCGRandom } from "effect/Utils"

const length = 4_000
const megabyte = 1_000_000

const repeatTo = (text: string, characters: number): string =>
  text.repeat(Math.ceil(characters / text.length)).slice(0, characters)

/** Characters drawn from an alphabet. */
const drawn = (alphabet: string, characters: number, seed = 1): string => {
  const random = new PCGRandom(seed)
  return Array.from({ length: characters }, () => alphabet[random.integer(alphabet.length)]).join("")
}

const lower = "abcdefghijklmnopqrstuvwxyz"
const base64Alphabet = `${lower.toUpperCase()}${lower}0123456789+/`

const english =
  `When the harbour froze in the winter of that year, the fishermen pulled their boats up to the square and
spent the days mending nets in the old customs house. Nobody complained much, because nobody could remember a winter in
which complaining had helped. The children, on the other hand, were delighted: they skated between the piers, built a
fort out of fish crates, and charged their own parents a small toll for crossing the ice.

By February the shopkeepers had begun to worry. Flour was running low, and the road over the hills was still closed.
"We could ask the lighthouse keeper," said Mrs. Halloran, who ran the bakery; she didn't sound convinced. He had not
spoken to anyone in the village for eleven years, although he returned every greeting with a precise nod, and once a
month his order arrived by post, written in blue ink and paid for in exact change. It was the schoolteacher who finally
walked out along the breakwater to see him, carrying a lantern, a loaf of bread and a list of 14 questions.

`

const code = `export const parseHeader = (line: string): Either<Header, ParseError> => {
  const separator = line.indexOf(":")
  if (separator === -1) {
    return Either.left(new ParseError({ message: \`no separator in "\${line}"\`, position: 0 }))
  }
  const name = line.slice(0, separator).trim().toLowerCase()
  const value = line.slice(separator + 1).trim()
  return Either.right({ name, value })
}

class ConnectionPool {
  private readonly idle: Array<Connection> = []
  constructor(private readonly maxSize: number, private readonly connect: () => Promise<Connection>) {}

  async acquire(timeoutMs = 5_000): Promise<Connection> {
    const existing = this.idle.pop()
    if (existing !== undefined && !existing.isClosed()) return existing
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        return await withTimeout(this.connect(), timeoutMs)
      } catch (error) {
        if (attempt === 2) throw error // give up
      }
    }
    throw new Error("unreachable")
  }
}

`

const chinese =
  `那年冬天，港口结了冰，渔民们把船拖到广场上，白天就在旧海关大楼里修补渔网。没有人抱怨，因为谁也不记得有哪个冬天抱怨过以后
事情就变好了。孩子们倒是很高兴：他们在码头之间滑冰，用装鱼的木箱搭了一座城堡，还向过冰面的父母收一点过路费。到了二月，店主们开始担心起来。
面粉快用完了，翻山的路还没有开通。“我们可以问问守灯塔的人，”面包店的老板娘说，可她自己也不太相信。他已经十一年没有跟村里的人说过话了，
虽然每次有人打招呼，他都会点点头。最后还是小学老师提着一盏灯，带着一块面包和一张写着十四个问题的单子，沿着防波堤走了过去。
`

const japanese =
  `その年の冬、港が凍りつくと、漁師たちは舟を広場まで引き上げ、古い税関の建物で網をつくろいながら日々を過ごした。文句を言う者
はほとんどいなかった。文句を言って役に立った冬など、誰も覚えていなかったからだ。一方、子どもたちは大喜びだった。桟橋のあいだをスケートで滑り、
魚の箱で砦をこしらえ、氷を渡る親たちから小さな通行料を取った。二月になると、店の主人たちが心配しはじめた。小麦粉は残り少なく、丘を越える道は
まだ閉ざされたままだった。「灯台守に頼んでみたらどうかしら」とパン屋の女主人は言ったが、自信はなさそうだった。
`

const russian =
  `В ту зиму, когда гавань замёрзла, рыбаки вытащили лодки на площадь и целыми днями чинили сети в старом здании
таможни. Почти никто не жаловался, потому что никто не помнил зимы, в которую жалобы помогли бы. Зато дети были в
восторге: они катались на коньках между причалами, построили крепость из ящиков для рыбы и брали с родителей небольшую
плату за переход по льду. К февралю забеспокоились лавочники. Мука заканчивалась, а дорога через холмы всё ещё была
закрыта. «Можно спросить смотрителя маяка», — сказала хозяйка пекарни, хотя сама в это не верила.
`

const markdown = `## Getting started

1. Install the package: \`npm install harbour-tools\`
2. Create a file named **config.yaml** next to your \`package.json\`
3. Run \`npx harbour init --template=basic\`

> **Note:** the defaults are meant for *development*. See [Deployment](https://example.com/docs/deployment#production).

| option      | type      | default   | description                                 |
| ----------- | --------- | --------- | ------------------------------------------- |
| \`port\`      | number    | \`8080\`    | The port that the server listens on         |
| \`logLevel\`  | string    | \`"info"\`  | One of \`debug\`, \`info\`, \`warn\`, \`error\`     |
| \`maxBoats\`  | number    | \`64\`      | How many boats the harbour takes at a time  |

- [x] Tides
- [ ] Weather: _not before spring_

`

const emoji = `That was the best trip ever 😍🎉 thank you all!! 🙏🏽❤️ Pictures tomorrow 📸✨ 😂😂😂 sure you will 👍
Landed in Lisbon 🇵🇹☀️ who's up for pastéis? 🥧🤤 Me!! 🙋‍♀️🙋‍♂️ count the whole family in 👨‍👩‍👧‍👦🚀🚀 🐶 too
`

const json = (): string => {
  const random = new PCGRandom(2)
  const boats = Array.from({ length: 40 }, (_, index) => ({
    id: `boat-${1_000 + index}`,
    owner: { name: ["Ada Halloran", "José Núñez", "Wen Li"][index % 3], verified: index % 2 === 0 },
    position: { lat: random.number() * 90, lon: random.number() * 180 },
    tags: ["wood", "sail", "winter"].slice(index % 3),
    lastSeen: `2026-02-${10 + index % 18}T0${index % 10}:${10 + index}:00Z`
  }))
  return JSON.stringify(boats, null, 2)
}

const numbers = (): string => {
  const random = new PCGRandom(3)
  return Array.from(
    { length: 200 },
    (_, row) =>
      `${row},${random.integer(100_000)},${(random.number() * 1_000).toFixed(2)},-${random.number().toFixed(6)}\n`
  ).join("")
}

const withoutBreaks = (text: string): string => text.replace(/[^\p{L}]/gu, "")

/** Kind of text → about 4,000 characters of it. */
export const samples = {
  English: repeatTo(english, length),
  code: repeatTo(code, length),
  JSON: json().slice(0, length),
  Chinese: repeatTo(chinese, length),
  Japanese: repeatTo(japanese, length),
  Russian: repeatTo(russian, length),
  numbers: numbers().slice(0, length),
  base64: drawn(base64Alphabet, length),
  emoji: repeatTo(emoji, length),
  markdown: repeatTo(markdown, length)
}

/** Kind of text → a million characters of it; flat in memory, as a parsed request body is. */
export const megabytes = {
  English: () => repeatTo(english, megabyte),
  code: () => repeatTo(code, megabyte),
  Chinese: () => repeatTo(chinese, megabyte),
  "Chinese, unbroken": () => repeatTo(withoutBreaks(chinese), megabyte),
  "a": () => "a".repeat(megabyte),
  spaces: () => " ".repeat(megabyte),
  emoji: () => repeatTo("😀🎉🚀❤️👨‍👩‍👧🇵🇹", megabyte),
  base64: () => repeatTo(drawn(base64Alphabet, 50_021), megabyte),
  letters: () => repeatTo(drawn(lower, 50_021), megabyte)
}

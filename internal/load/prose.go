package load

import (
	"math/rand/v2"
	"strings"

	"github.com/weir-gateway/weir/call"
)

// CharsPerToken is how many characters of its own text a [Prose] counts as one
// token: plain English for the models of 2026 (anthropic-api.md §8). It is an
// aim only; what a request really held is in its usage.
const CharsPerToken = 3.7

const slabSize = 1 << 17

// Prose makes text that reads like English, always the same for the same seed.
// It is safe for concurrent use.
type Prose struct{ slab string }

// NewProse writes the text from which all passages are cut.
func NewProse(seed uint64) *Prose {
	words := strings.Fields(vocabulary)
	rng := rand.New(rand.NewPCG(seed, 0x70726f7365))
	var b strings.Builder
	b.Grow(slabSize + 64)
	for start := true; b.Len() < slabSize; {
		word := words[rng.IntN(len(words))]
		if start {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		b.WriteString(word)
		start = rng.IntN(12) == 0
		if start {
			b.WriteByte('.')
		}
		b.WriteByte(' ')
	}
	return &Prose{slab: b.String()}
}

// Passage returns about n tokens of text from a random place.
func (p *Prose) Passage(rng *rand.Rand, n call.Tokens) string {
	return p.from(rng.IntN(len(p.slab)/2), n)
}

// Opening returns about n tokens of text, the same each time: what a cached
// prefix needs.
func (p *Prose) Opening(n call.Tokens) string { return p.from(0, n) }

func (p *Prose) from(at int, n call.Tokens) string {
	want := max(int(float64(n)*CharsPerToken), 1)
	if at+want <= len(p.slab) {
		return p.slab[at : at+want]
	}
	var b strings.Builder
	b.Grow(want)
	for b.Len() < want {
		part := p.slab[at:]
		b.WriteString(part[:min(len(part), want-b.Len())])
		at = 0
	}
	return b.String()
}

const vocabulary = `a about above account across after again against agree air all allow almost alone along also
always among amount and animal another answer any appear are area arrive as ask at away back balance bank base be
because become before began begin behind believe below beside best better between big bird black blue boat body book
both bottom bridge bring build but buy by call came can canal capacity careful carry case catch center century certain
chance change channel check choose city clear close cold color come common complete consider contain continue control
cool corner correct cost could count country course cover create cross current cut dam dark day decide deep deliver
depend describe design develop did differ direct discover distance divide do does done door down draw drive drop dry
during each early earth east easy edge effect eight either else end energy enough equal estimate even evening event
ever every exact example except expect explain eye fact fall far farm fast feel few field fight figure fill final find
fine finish fire first fish five flat float flood flow follow food for force forest form four free from front full game
garden gate gave general get give glass go gold good great green ground group grow had half hand happen hard has have he
head hear heat heavy height held help her here high him hold hope hour house how however hundred idea if important in
inch include indicate instead interest into iron island it job join just keep kind king know land language large last
late laugh law lay lead learn least leave left length less let letter level lie life lift light like limit line list
listen little live local long look loss lot love low machine made main make man many map mark market matter may mean
measure meet men middle might mile mill mind minute miss money month moon more morning most mother mountain mouth move
much music must name nation nature near need never new next night nine north note nothing notice now number object
observe ocean of off often oil old on once one only open operate opposite or order other our out over own page paint
paper part pass past path pattern pay people perhaps period person picture piece place plain plan plant play point
pond pool poor position possible pound power present press problem produce promise protect prove provide pull purpose
push put question quick quiet quite quota race rain raise ran rate reach read ready real reason receive record region
remain remember repeat report represent rest result return rich ride right rise river road rock roll room round row
rule run safe said sail same sand save say scale school science sea season second see seem send sense sentence serve
set settle seven several shape share sharp she shine ship shore short should shoulder show side sign silver similar
simple since single sister sit six size skill sky sleep slow small snow so soft soil some soon sound source south space
speak special speed spread spring square stand star start state stay steady steel step still stone stop store storm
story straight stream street strong study such sudden sugar summer sun supply support sure surface surprise system
table take talk tall teach tell temperature ten test than that the their them then there these they thick thin thing
think third this those though thought thousand through tide time to today together told tone too took tool top total
touch toward town track trade train travel tree triangle true try turn twelve twenty two under understand unit until
up upon us use usual valley value various very view village visit voice wait walk wall want war warm was wash watch
water wave way we weather week weigh weir well went were west what wheel when where whether which while white who whole
why wide wild will wind window winter wire wish with within without wonder wood word work world would write year yellow
yes yet you young your`

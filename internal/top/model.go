package top

import (
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// link is the connection to the gateway.
type link uint8

const (
	connecting link = iota
	live
	lost
)

// The sections, in the order of their tabs.
const (
	tabAll = iota
	tabQuota
	tabQueue
	tabRequests
	tabProtection
	numTabs
)

var tabNames = [numTabs]string{"all", "quota", "queue", "requests", "protection"}

// Model is the whole state of the screen. Messages change it, and nothing
// else.
type Model struct {
	words   words
	lang    string
	url     string
	noColor bool

	width, height int
	tab, offset   int
	help          bool

	link    link
	since   time.Time // of the loss of the connection
	cause   error     // of it
	picture *Picture  // that is shown; nil: none came yet
	paused  bool
	next    *Picture // the newest that came while paused
}

// NewModel returns the screen before anything is known. Its size comes with
// the first message.
func NewModel(lang, url string, noColor bool) *Model {
	return &Model{words: wordsOf(lang), lang: lang, url: url, noColor: noColor, width: 80, height: 24}
}

// Init implements [tea.Model].
func (m *Model) Init() tea.Cmd { return nil }

func binding(keys ...string) key.Binding { return key.NewBinding(key.WithKeys(keys...)) }

var keys = struct{ quit, next, previous, up, down, pageUp, pageDown, home, end, pause, help, back, jump key.Binding }{
	quit: binding("q", "ctrl+c"), next: binding("tab", "right", "l"), previous: binding("shift+tab", "left", "h"),
	up: binding("up", "k"), down: binding("down", "j"), pageUp: binding("pgup", "b"), pageDown: binding("pgdown", "space", "f"),
	home: binding("home", "g"), end: binding("end", "G"), pause: binding("p"), help: binding("?"), back: binding("esc"),
	jump: binding("1", "2", "3", "4", "5"),
}

// Update implements [tea.Model].
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case News:
		m.hear(msg)
	case tea.KeyPressMsg:
		cmd = m.press(msg)
	}
	m.offset = max(0, min(m.offset, len(m.body())-m.room()))
	return m, cmd
}

// hear takes a picture, or the news that there is none.
func (m *Model) hear(n News) {
	switch {
	case n.Err != nil:
		if m.link != lost {
			m.since = n.At
		}
		m.link, m.cause = lost, n.Err
		return
	case m.paused:
		m.next = n.Picture
	default:
		m.picture = n.Picture
	}
	m.link, m.cause = live, nil
}

// press does what a key says.
func (m *Model) press(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, keys.quit):
		return tea.Quit
	case key.Matches(k, keys.help):
		m.help = !m.help
	case key.Matches(k, keys.back):
		m.help = false
	case key.Matches(k, keys.pause):
		m.paused = !m.paused
		if !m.paused && m.next != nil {
			m.picture, m.next = m.next, nil
		}
	case key.Matches(k, keys.next):
		m.turn(m.tab + 1)
	case key.Matches(k, keys.previous):
		m.turn(m.tab - 1)
	case key.Matches(k, keys.jump):
		m.turn(int(k.String()[0] - '1'))
	default:
		m.scroll(k)
	}
	return nil
}

func (m *Model) turn(tab int) {
	m.tab, m.offset, m.help = (tab+numTabs)%numTabs, 0, false
}

func (m *Model) scroll(k tea.KeyPressMsg) {
	switch {
	case key.Matches(k, keys.up):
		m.offset--
	case key.Matches(k, keys.down):
		m.offset++
	case key.Matches(k, keys.pageUp):
		m.offset -= m.room()
	case key.Matches(k, keys.pageDown):
		m.offset += m.room()
	case key.Matches(k, keys.home):
		m.offset = 0
	case key.Matches(k, keys.end):
		m.offset = len(m.body())
	}
}

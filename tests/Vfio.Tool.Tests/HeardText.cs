using System.Text;

namespace Vfio.Tool.Tests;

/// <summary>Listens to what a command writes, for a line that says that it has got somewhere.</summary>
internal sealed class HeardText(bool isTerminal = false)
{
    private readonly Lock _lock = new();
    private readonly List<(string Begin, TaskCompletionSource<string> Heard)> _awaited = [];

    public bool IsTerminal => isTerminal;

    /// <summary>The rest of the first line that begins so; to be asked for before the command runs.</summary>
    public Task<string> Line(string begin)
    {
        var heard = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
            _awaited.Add((begin, heard));
        return heard.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    public TextWriter On(TextWriter inner) => new Writer(this, inner);

    private void Heard(string line)
    {
        lock (_lock)
        {
            foreach (var (begin, heard) in _awaited.Where(a => line.StartsWith(a.Begin, StringComparison.Ordinal)))
                heard.TrySetResult(line[begin.Length..]);
        }
    }

    private sealed class Writer(HeardText text, TextWriter inner) : TextWriter
    {
        private readonly StringBuilder _line = new();

        public override Encoding Encoding => inner.Encoding;

        public override void Write(char value)
        {
            inner.Write(value);
            if (value != '\n')
            {
                _line.Append(value);
                return;
            }

            text.Heard(_line.ToString());
            _line.Clear();
        }
    }
}

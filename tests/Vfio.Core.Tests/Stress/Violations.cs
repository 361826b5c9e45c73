using System.Collections.Concurrent;

namespace Vfio.Core.Tests.Stress;

/// <summary>What should never have happened.</summary>
internal sealed class Violations
{
    private const int Enough = 20;
    private readonly ConcurrentQueue<string> _found = new();

    public bool Any => !_found.IsEmpty;

    public void Add(string what)
    {
        if (_found.Count < Enough)
            _found.Enqueue(what);
    }

    public void Check(bool holds, string what)
    {
        if (!holds)
            Add($"{what}\n{Environment.StackTrace}");
    }

    public override string ToString() => string.Join("\n\n", _found);
}

using Spectre.Console;

namespace Vfio.Tool.Demo;

/// <summary>Tells a demonstration: what is done, and which facts were checked on the way. A fact that does not hold ends it.</summary>
internal sealed class Narrator(IAnsiConsole console)
{
    private int _step;

    /// <summary>How many facts held.</summary>
    public int Facts { get; private set; }

    public void Step(string title)
    {
        if (_step++ > 0)
            console.WriteLine();
        console.Write(new Text($"{_step}. {title}", new Style(decoration: Decoration.Bold)));
        console.WriteLine();
    }

    /// <summary>What was done or seen.</summary>
    public void Tell(string text) => console.WriteLine($"   {text}");

    /// <summary>What must hold.</summary>
    /// <exception cref="DemoFailedException">It does not.</exception>
    public void Check(bool holds, string fact)
    {
        console.Write(new Text(holds ? "   ok " : "   FAILED ", new Style(holds ? Color.Green : Color.Red)));
        console.WriteLine(fact);
        if (!holds)
            throw new DemoFailedException(fact);
        Facts++;
    }
}

/// <summary>A fact of the demonstration does not hold.</summary>
internal sealed class DemoFailedException(string fact) : Exception(fact);

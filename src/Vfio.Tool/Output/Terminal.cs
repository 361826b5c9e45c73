using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Spectre.Console;

namespace Vfio.Tool.Output;

/// <summary>Where the command writes: tables and trees for people, plain where no terminal reads them, or one JSON document.</summary>
internal sealed class Terminal
{
    // Wide enough that nothing wraps where no terminal says how wide it is.
    private const int PlainWidth = 4096;

    public Terminal(TextWriter output, TextWriter error, bool isTerminal)
    {
        Out = output;
        Error = error;
        IsTerminal = isTerminal;
        var coloured = isTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        IsAnimated = coloured;
        Console = AnsiConsole.Create(new()
        {
            Ansi = coloured ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = coloured ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(output),
        });
        if (!isTerminal)
            Console.Profile.Width = PlainWidth;
    }

    public TextWriter Out { get; }

    public TextWriter Error { get; }

    public bool IsTerminal { get; }

    /// <summary>Whether progress is shown.</summary>
    public bool IsAnimated { get; }

    public IAnsiConsole Console { get; }

    /// <summary>A console that draws over what it has drawn; only for a terminal.</summary>
    public IAnsiConsole Live() => AnsiConsole.Create(new()
    {
        Ansi = Console.Profile.Capabilities.Ansi ? AnsiSupport.Yes : AnsiSupport.No,
        ColorSystem = ColorSystemSupport.Detect,
        Interactive = InteractionSupport.Yes,
        Out = new AnsiConsoleOutput(Out),
    });

    /// <summary>A table: bordered on a terminal, columns in plain text elsewhere.</summary>
    public Table Table(params string[] columns)
    {
        var table = new Table();
        if (IsTerminal)
            table.Border(TableBorder.Rounded);
        else
            table.Border(TableBorder.None);
        foreach (var column in columns)
            table.AddColumn(new TableColumn(new Text(column)) { NoWrap = !IsTerminal });
        return table;
    }

    /// <summary>Adds a row of plain text: nothing in it is markup.</summary>
    public static void Row(Table table, params string[] cells) => table.AddRow(cells.Select(c => new Text(c)));

    /// <summary>Writes a table; where it is plain text, without the spaces that fill its last column.</summary>
    public void Write(Table table)
    {
        if (IsTerminal)
        {
            Console.Write(table);
            return;
        }

        using var text = new StringWriter();
        var plain = AnsiConsole.Create(
            new() { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(text) });
        plain.Profile.Width = PlainWidth;
        plain.Write(table);
        foreach (var line in text.ToString().AsSpan().TrimEnd().EnumerateLines())
            Out.WriteLine(line.TrimEnd());
    }

    public void Json<T>(T value, JsonTypeInfo<T> type) => Out.WriteLine(JsonSerializer.Serialize(value, type));
}

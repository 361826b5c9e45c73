namespace Vfio.Simulation;

/// <summary>A place in a definition at which conditions are checked; a failed one names file, line and property.</summary>
internal sealed class DefinitionCheck(string origin, LineMap lines, string path)
{
    internal DefinitionCheck In(string property) => new(origin, lines, $"{path}.{property}");

    internal DefinitionCheck In(string property, int index) => new(origin, lines, $"{path}.{property}[{index}]");

    /// <summary>An element of a list: null is none.</summary>
    internal T Element<T>(T? element)
        where T : class
    {
        That(element is not null, null, "null is wanted nowhere");
        return element!;
    }

    /// <summary>Checks a condition.</summary>
    /// <param name="holds">The condition.</param>
    /// <param name="property">The property that it is about; null for the place itself.</param>
    /// <param name="reason">What is wrong if it does not hold.</param>
    /// <exception cref="TopologyException">It does not hold.</exception>
    internal void That(bool holds, string? property, string reason)
    {
        if (holds)
            return;
        var at = property is null ? path : $"{path}.{property}";
        throw new TopologyException(origin, lines.LineOf(at), at, reason);
    }
}

namespace Vfio.Simulation;

/// <summary>A topology definition is wrong; the message names the file, the line and the property at fault.</summary>
public sealed class TopologyException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="origin">The file, or whatever the text came from.</param>
    /// <param name="line">The line, from 1; 0 if the text as a whole is at fault.</param>
    /// <param name="property">The JSON path of the property at fault.</param>
    /// <param name="reason">What is wrong with it.</param>
    /// <param name="inner">What found it.</param>
    public TopologyException(string origin, int line, string property, string reason, Exception? inner = null)
        : base(line > 0 ? $"{origin}({line}): {property}: {reason}" : $"{origin}: {property}: {reason}", inner)
    {
        Origin = origin;
        Line = line;
        Property = property;
        Reason = reason;
    }

    /// <summary>The file, or whatever the text came from.</summary>
    public string Origin { get; }

    /// <summary>The line at fault, from 1; 0 if the text as a whole is.</summary>
    public int Line { get; }

    /// <summary>The JSON path of the property at fault, such as <c>$.models[0].namespaces[1].size</c>.</summary>
    public string Property { get; }

    /// <summary>What is wrong, without the place.</summary>
    public string Reason { get; }
}

namespace Vfio;

/// <summary>Somewhere that functions come from: a simulated topology, the host's PCI bus, another process.</summary>
public interface IFunctionSource
{
    /// <summary>A word for people: <c>simulation</c>, <c>linux</c>, <c>remote</c>.</summary>
    string Name { get; }

    /// <summary>Finds the functions; called once, before anything is matched.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The functions, in address order. They live as long as the source.</returns>
    ValueTask<IReadOnlyList<IPciFunction>> DiscoverAsync(CancellationToken cancellationToken);

    /// <summary>Who controls a function of this source.</summary>
    /// <param name="controlled">The controlled function.</param>
    /// <returns>Its controlling function; null if it has none here.</returns>
    IControllingFunction? ControllerOf(PciAddress controlled);
}

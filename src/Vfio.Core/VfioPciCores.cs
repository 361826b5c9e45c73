using Microsoft.Extensions.Logging;

namespace Vfio.Core;

/// <summary>Makes the core that fits a function: never two virtualizations, never none.</summary>
public static class VfioPciCores
{
    /// <summary>Creates the core over a function; nothing is touched until it is enabled.</summary>
    /// <param name="function">The function.</param>
    /// <param name="logger">Where it logs; null for nowhere.</param>
    /// <param name="options">How a <see cref="VfioPciCore"/> behaves; of no concern to a function that is virtualized below.</param>
    /// <returns>
    /// A <see cref="VfioPciCore"/> over a raw function, a <see cref="RelayCore"/> over one that is a vfio device already.
    /// </returns>
    /// <exception cref="VfioException">EOPNOTSUPP: it is virtualized below, and its back end does not say by what.</exception>
    public static IVfioPciCore Over(IPciFunction function, ILogger? logger = null, VfioPciCoreOptions? options = null)
        => function.Virtualized is null ? new VfioPciCore(function, logger, options) : new RelayCore(function, logger);
}

namespace Vfio.Hosting;

/// <summary>The directory of controlling functions: each source answers for its own functions.</summary>
internal sealed class ControllerDirectory(IReadOnlyList<IFunctionSource> sources) : IControllingFunctions
{
    public IControllingFunction? Of(PciAddress controlled)
    {
        foreach (var source in sources)
        {
            if (source.ControllerOf(controlled) is { } controller)
                return controller;
        }

        return null;
    }
}

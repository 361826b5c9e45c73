namespace Vfio.Simulation.Nvme.Storage;

/// <summary>
/// Which namespaces are attached to a controller, by namespace id. Looked up by the controller's thread, changed by the subsystem:
/// thread-safe.
/// </summary>
internal sealed class NamespaceTable
{
    private volatile NvmeNamespace?[] _attached = [];

    /// <summary>By namespace id less 1; null where none is attached.</summary>
    internal NvmeNamespace?[] Attached => _attached;

    internal NvmeNamespace? Find(uint id)
    {
        var attached = _attached;
        return id - 1 < (uint)attached.Length ? attached[id - 1] : null;
    }

    /// <summary>Attaches; replaced as a whole, so that a lookup needs no lock.</summary>
    internal void Attach(NvmeNamespace target)
    {
        var grown = new NvmeNamespace?[Math.Max(_attached.Length, (int)target.Id)];
        _attached.CopyTo(grown, 0);
        grown[target.Id - 1] = target;
        _attached = grown;
    }
}

namespace Vfio;

/// <summary>The personalities of a device: which one the guest will see is chosen before it is opened.</summary>
public interface IProfiles
{
    /// <summary>The name of the profile that shows what the hardware shows; always available, always the default.</summary>
    const string Native = "native";

    /// <summary>The names to choose from; the first is the default.</summary>
    IReadOnlyList<string> Available { get; }

    /// <summary>The chosen one.</summary>
    string Current { get; }

    /// <summary>Chooses.</summary>
    /// <param name="name">One of <see cref="Available"/>.</param>
    /// <returns>EINVAL: not available. EBUSY: the device is open. EPERM: provisioning fixed it.</returns>
    VfioResult Select(string name);
}

using System.Security.Cryptography;

namespace Vfio.Core.Sets;

/// <summary>
/// What the users of a PF and of its VFs show each other, so that neither has the other under it unknowingly. Thread-safe. Source: the
/// kernel's <c>vfio_pci_core_match_token_uuid</c>.
/// </summary>
internal sealed class VfToken
{
    private readonly Lock _changing = new();
    private Guid _value = new(RandomNumberGenerator.GetBytes(16));
    private bool _isGiven;
    private int _physicalUsers;
    private int _virtualUsers;

    /// <summary>A PF is being opened; <see cref="ClosePhysical"/> ends it.</summary>
    /// <param name="given">What its user shows; the token from now on, if no VF is in use.</param>
    /// <returns>EACCES: VFs are in use, and the token is missing or wrong.</returns>
    public VfioResult OpenPhysical(Guid? given)
    {
        lock (_changing)
        {
            if (_virtualUsers > 0 && given != _value)
                return Errno.EACCES;
            if (given is { } token)
                Give(token);
            _physicalUsers++;
            return VfioResult.Success;
        }
    }

    /// <summary>The token that the PF is going to be opened with.</summary>
    /// <returns>EACCES: VFs are in use, and have another.</returns>
    public VfioResult Offer(Guid token)
    {
        lock (_changing)
        {
            if (_virtualUsers > 0 && token != _value)
                return Errno.EACCES;
            Give(token);
            return VfioResult.Success;
        }
    }

    /// <summary>A VF is being opened; <see cref="CloseVirtual"/> ends it.</summary>
    /// <param name="given">What its user shows.</param>
    /// <returns>EACCES: the token is missing or wrong. EINVAL: one was given, and the PF is nobody's.</returns>
    public VfioResult OpenVirtual(Guid? given)
    {
        lock (_changing)
        {
            // A token that somebody chose stands for the PF's user while the PF is closed, too: whoever has it may open the PF again.
            var isAsked = _physicalUsers > 0 || _isGiven;
            if (isAsked && given != _value)
                return Errno.EACCES;
            if (!isAsked && given is not null)
                return Errno.EINVAL;
            _virtualUsers++;
            return VfioResult.Success;
        }
    }

    public void ClosePhysical()
    {
        lock (_changing)
            _physicalUsers--;
    }

    public void CloseVirtual()
    {
        lock (_changing)
            _virtualUsers--;
    }

    /// <summary>The PF's user chooses another.</summary>
    public void Set(Guid token)
    {
        lock (_changing)
            Give(token);
    }

    private void Give(Guid token)
    {
        _value = token;
        _isGiven = true;
    }
}

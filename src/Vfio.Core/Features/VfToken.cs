namespace Vfio.Core.Features;

/// <summary>The token that a PF's client shares with those of its VFs. Thread-safe.</summary>
internal sealed class VfToken
{
    private readonly Lock _changing = new();
    private Guid? _value;

    public Guid? Value
    {
        get
        {
            lock (_changing)
                return _value;
        }

        set
        {
            lock (_changing)
                _value = value;
        }
    }
}
